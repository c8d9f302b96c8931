"""`tfds:` corpora from small sets built by the test: names, languages, folders, and what cannot be prepared."""

import time

import numpy as np
import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig
from tests.support.tfds_sets import TEXTS, load, pairs


def test_becomes_plain_text_in_its_order(make, data_dir, tmp_path):
    made = make(data_dir, "tiny_set")
    said = []
    corpus = corpora.load(CorpusConfig("tfds:tiny_set"), tmp_path / "cache", said.append)
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("tfds:tiny_set", "de", "en")
    assert pairs(corpus) == {
        "train": [("ein Haus", "a house"), ("zwei Häuser", "two houses"), ("drei", "three")],
        "valid": TEXTS["validation"],
        "test": TEXTS["test"],
    }
    assert corpus.splits["train"][0].parent == tmp_path / "cache" / "tfds-tiny_set-1.2.0-de-en"
    assert load(tmp_path, "tfds:tiny_set:1.2.0").sha256 == corpus.sha256
    assert said == []
    assert made.is_dir()


def test_hash_is_of_content(make, data_dir, tmp_path):
    make(data_dir, "one")
    make(data_dir, "same")
    make(data_dir, "other", texts={**TEXTS, "test": [("fünf", "five"), ("sechs", "Six")]})
    one, same, other = (load(tmp_path, f"tfds:{name}").sha256 for name in ("one", "same", "other"))
    assert one == same != other


def test_languages_can_be_turned_round(make, data_dir, tmp_path):
    make(data_dir, "tiny_set")
    forth, back = load(tmp_path, "tfds:tiny_set"), load(tmp_path, "tfds:tiny_set", languages=("en", "de"))
    assert (back.source_language, back.target_language) == ("en", "de")
    assert {split: [pair[::-1] for pair in part] for split, part in pairs(forth).items()} == pairs(back)
    assert forth.sha256 != back.sha256
    with pytest.raises(ValueError, match=r"languages=\('de', 'fr'\): corpus 'tfds:tiny_set' has de, en$"):
        load(tmp_path, "tfds:tiny_set", languages=("de", "fr"))


def test_supervised_keys_say_which_is_the_source(make, data_dir, tmp_path):
    make(data_dir, "backwards", keys=("en", "de"))
    make(data_dir, "silent", keys=None)
    assert load(tmp_path, "tfds:backwards").source_language == "en"
    assert load(tmp_path, "tfds:silent").source_language == "de"


def test_two_of_many_languages(make, data_dir, tmp_path):
    texts = {split: [("eins", "one", "un")] for split in TEXTS}
    make(data_dir, "many", languages=("de", "en", "fr"), keys=None, texts=texts)
    with pytest.raises(ValueError, match=r"not a translation set of two languages.*choose two of de, en, fr"):
        load(tmp_path, "tfds:many")
    assert pairs(load(tmp_path, "tfds:many", languages=("fr", "en")))["test"] == [("un", "one")]


def test_data_dir_of_the_environment(make, data_dir, tmp_path, monkeypatch):
    make(tmp_path / "elsewhere", "tiny_set")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "elsewhere"))
    assert pairs(load(tmp_path, "tfds:tiny_set"))["test"] == TEXTS["test"]
    assert not data_dir.exists()


def test_no_translation_set(make, data_dir, tmp_path):
    import tensorflow_datasets as tfds

    def features(languages):
        return tfds.features.FeaturesDict({"text": tfds.features.Text(), "label": tfds.features.Scalar(np.int64)})

    texts = {split: [("good", 1)] for split in TEXTS}
    make(data_dir, "labels", languages=("text", "label"), keys=("text", "label"), texts=texts, features=features)
    with pytest.raises(ValueError, match=r"'tfds:labels' is not a translation set.*holds .*label.*keys are"):
        load(tmp_path, "tfds:labels")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfds:ted_hrlr_translat", "has no set 'ted_hrlr_translat': did you mean 'tfds:ted_hrlr_translate'"),
        ("tfds:tiny_sett", "has no set 'tiny_sett': did you mean 'tfds:tiny_set'"),
        ("tfds:ted_hrlr_translate/pt_to_e", "no config 'pt_to_e', did you mean 'tfds:ted_hrlr_translate/pt_to_en'"),
        ("tfds:ted_hrlr_translate/pt_to_en:9.0.0", "cannot be loaded at version 9.0.0, only: 1.0.0"),
        ("tfds:wmt14_translat/de-en", "did you mean 'tfds:wmt14_translate'"),
        ("tfds:../../etc", "has no set '..'"),
    ],
)
def test_wrong_names_are_answered_with_the_nearest(make, data_dir, tmp_path, name, message):
    make(data_dir, "tiny_set")
    with pytest.raises(ValueError) as error:
        load(tmp_path, name)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.fixture(scope="module")
def broken():
    """Sets that are known by their code, which cannot be prepared."""
    import tensorflow_datasets as tfds

    class Broken(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            languages = ("de", "en")
            features = tfds.features.Translation(languages)
            return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=languages)

        def _generate_examples(self):
            return iter(())

    class Seq2slimUnreachable(Broken):
        def _split_generators(self, dl_manager):
            dl_manager.download("http://127.0.0.1:9/text.tgz")

    class Seq2slimWithTensorflow(Broken):
        def _split_generators(self, dl_manager):
            from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow

            tensorflow.io.gfile.GFile("x")

    class Seq2slimByHand(Broken):
        def _split_generators(self, dl_manager):
            raise AssertionError("\nManual directory is empty.\nDownload this and that.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unreachable", "could not be downloaded (ConnectionError: http://127.0.0.1:9/text.tgz): prepare it on"),
        ("with_tensorflow", "needs the package tensorflow, which seq2slim does without: prepare it on"),
        ("by_hand", "could not be prepared (AssertionError: Manual directory is empty.): prepare it on"),
    ],
)
def test_what_cannot_be_prepared_is_said_fast_in_one_line(
    broken, data_dir, tmp_path, monkeypatch, capfd, caplog, name, message
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    start = time.monotonic()
    with pytest.raises(OSError) as error:
        load(tmp_path, f"tfds:seq2slim_{name}")
    assert time.monotonic() - start < 10  # TFDS alone: minutes
    assert message in str(error.value)
    assert f"and copy ~/tensorflow_datasets/seq2slim_{name} to {data_dir}" in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


def test_downloads_are_patient_again_afterwards(broken, data_dir, tmp_path):
    import requests
    from tensorflow_datasets.core.download import downloader

    before = downloader.MAX_RETRIES, requests.Session.get
    with pytest.raises(OSError, match="AssertionError"):
        load(tmp_path, "tfds:seq2slim_by_hand")
    assert (downloader.MAX_RETRIES, requests.Session.get) == before
