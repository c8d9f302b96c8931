"""A user's parallel text, in six small files."""

from seq2slim.data.corpora import CorpusConfig

SPLITS = ("train", "valid", "test")


def write_text(folder, **content):
    """Six files of one pair each; `train_en=b"..."` replaces one. Returns the config."""
    paths = {}
    for split in SPLITS:
        for side in ("en", "de"):
            path = folder / f"{split}.{side}"
            path.write_bytes(content.get(f"{split}_{side}", f"{split} {side}\n".encode()))
        paths[split] = (str(folder / f"{split}.en"), str(folder / f"{split}.de"))
    return CorpusConfig("text", **paths)
