"""From a TensorFlow Datasets builder to sentence pairs: array_record files and `as_data_source`, no TensorFlow."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seq2slim.data.corpora.corpus import SPLITS
from seq2slim.data.corpora.prepared import Pairs
from seq2slim.errors import UserError
from seq2slim.installation import missing_extra

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

SPLIT_NAMES = {"train": "train", "valid": "validation", "test": "test"}  # ours -> theirs
_CHUNK = 1000  # records read at a time: three times faster than one by one
_CONNECT_S, _READ_S, _RETRIES = 5, 60, 2


def require_tfds(name: str):
    """Imports tensorflow_datasets (half a second). Raises: OSError that says what to install, if it is missing."""
    try:
        import array_record  # noqa: F401
        import importlib_resources  # noqa: F401
        import tensorflow_datasets  # noqa: F401
    except ImportError as error:
        raise OSError(f"corpus {name!r}: {missing_extra(error.name) or error}") from None


@contextlib.contextmanager
def local_info() -> Iterator[None]:
    """Builders made inside ask no server for the description of their set.

    TFDS would make a folder in /tmp for it at every builder that is not prepared yet, and leave it there.
    """
    from tensorflow_datasets.core import DatasetInfo

    ask = DatasetInfo.initialize_from_bucket
    DatasetInfo.initialize_from_bucket = lambda info: None
    try:
        yield
    finally:
        DatasetInfo.initialize_from_bucket = ask


def generate(builder: DatasetBuilder, downloads: Path, progress: bool):
    """Writes the array_record files of `builder` unless they exist; TFDS renames them into place when all are done.

    Args:
      downloads: folder for downloaded files.
      progress: whether to draw progress bars on stderr.
    """
    import tensorflow_datasets as tfds

    tfds.display_progress_bar(progress)
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    with _soon_given_up(), contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_dir=downloads, download_config=config, file_format="array_record")


def read_pairs(builder: DatasetBuilder, languages: tuple[str, str], name: str) -> dict[str, Pairs]:
    """The (source, target) sentences of a generated builder by split, in its order, read lazily.

    Any white space, including line breaks, becomes one space.

    Raises:
      UserError: a split is missing.
      OSError, during iteration: the files cannot be read.
    """
    for split in SPLITS:
        if SPLIT_NAMES[split] not in builder.info.splits:
            raise UserError(
                f"corpus {name!r} has no split {SPLIT_NAMES[split]!r} (it has {', '.join(builder.info.splits)}): "
                "train, validation and test are needed; take another set, or make files of it for corpus 'text'"
            )
    return {split: _pairs(builder, SPLIT_NAMES[split], languages, name) for split in SPLITS}


def brief(error: BaseException) -> str:
    """The type of an error and its first line, cut to 400 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__


def _pairs(builder: DatasetBuilder, split: str, languages: tuple[str, str], name: str) -> Iterator[tuple[str, str]]:
    with _explained(builder, name):
        records = builder.as_data_source(split)  # what tfds.data_source returns
    for start in range(0, len(records), _CHUNK):
        with _explained(builder, name):
            chunk = [
                tuple(" ".join(record[language].decode().split()) for language in languages)
                for record in records.__getitems__(range(start, min(start + _CHUNK, len(records))))
            ]
        yield from chunk


@contextlib.contextmanager
def _explained(builder: DatasetBuilder, name: str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError:
        raise OSError(
            f"corpus {name!r} is in {builder.data_dir} as {builder.info.file_format.value} files, and array_record "
            "files are needed: prepare it with --file_format=array_record"
        ) from None
    except Exception as error:  # array_record raises any exception for damaged files
        raise OSError(
            f"corpus {name!r} cannot be read from {builder.data_dir} ({brief(error)}): remove that folder, and it is "
            "prepared again"
        ) from error


@contextlib.contextmanager
def _soon_given_up() -> Iterator[None]:
    """Makes downloads fail within seconds without a network: TFDS tries 11 times over minutes, without time limits."""
    import requests
    from tensorflow_datasets.core.download import downloader

    log = logging.getLogger("urllib3.connectionpool")  # it warns at each retry; the final error is enough
    retries, get, level = downloader.MAX_RETRIES, requests.Session.get, log.level

    def get_soon(session, url, **options):
        return get(session, url, **{"timeout": (_CONNECT_S, _READ_S), **options})

    downloader.MAX_RETRIES, requests.Session.get = _RETRIES, get_soon
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        downloader.MAX_RETRIES, requests.Session.get = retries, get
        log.setLevel(level)
