"""Small sets of TensorFlow Datasets, built by the tests."""

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines
from seq2slim.data.corpora.tfds_source import local_info

TEXTS = {
    "train": [("ein Haus", "a house"), ("zwei\n Häuser\u2028", "two\u00a0 houses\r"), ("drei", "three")],
    "validation": [("vier", "four")],
    "test": [("fünf", "five"), ("sechs", "six")],
}


def set_maker():
    """A function that builds a set in a folder. TFDS finds the set by its files alone; its code is not installed."""
    import tensorflow_datasets as tfds

    def features(languages):
        return tfds.features.Translation(languages)

    def make(folder, name, languages=("de", "en"), keys=("de", "en"), texts=TEXTS, features=features):
        class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            VERSION = tfds.core.Version("1.2.0")

            def _info(self):
                given = {"features": features(languages), "supervised_keys": keys, "disable_shuffling": True}
                return tfds.core.DatasetInfo(builder=self, **given)

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(pairs) for split, pairs in texts.items()}

            def _generate_examples(self, pairs):
                yield from enumerate(dict(zip(languages, pair)) for pair in pairs)

        Tiny.name = name
        with local_info():
            builder = Tiny(data_dir=folder, file_format="array_record")
        builder.download_and_prepare()
        return builder.data_path

    return make


def load(tmp_path, name, **options):
    return corpora.load(CorpusConfig(name, **options), tmp_path / "cache")


def pairs(corpus):
    return {split: list(zip(*map(read_lines, paths))) for split, paths in corpus.splits.items()}
