"""A maker of small sets of TensorFlow Datasets, and the folder where they are prepared."""

import pytest

from tests.support.tfds_sets import set_maker


@pytest.fixture(scope="module")
def make():
    return set_maker()


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    return tmp_path / "cache" / "tfds"
