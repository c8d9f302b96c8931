"""Content of small model files, and the path where a changed one is written."""

import pytest

from seq2slim.storage.codecs import CODECS
from tests.support.damage import small_file


@pytest.fixture(scope="module", params=list(CODECS))
def small(request, tmp_path_factory):
    """Content of a small file, in each codec."""
    return small_file(tmp_path_factory.mktemp("small"), request.param).read_bytes()


@pytest.fixture(scope="module")
def lossless(tmp_path_factory):
    """Content of a small float32 file."""
    return small_file(tmp_path_factory.mktemp("lossless")).read_bytes()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "hostile.slim"
