"""Parallel text by name: built-in corpora, sets of TensorFlow Datasets, the user's files, and a generated toy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from seq2slim.data.corpora.builtin import load_builtin
from seq2slim.data.corpora.corpus import NAMES, SPLITS, Corpus, CorpusConfig
from seq2slim.data.corpora.lines import read_lines, write_lines
from seq2slim.data.corpora.reverse import load_reverse
from seq2slim.data.corpora.text import load_text
from seq2slim.data.corpora.tfds_set import load_tfds

__all__ = ["NAMES", "SPLITS", "Corpus", "CorpusConfig", "load", "read_lines", "write_lines"]


_log = logging.getLogger(__name__).info


def load(config: CorpusConfig, cache: Path, report: Callable[[str], None] = _log) -> Corpus:
    """The corpus that `config` names; prepared text is kept in `cache`, fetched or generated on first use.

    Args:
      cache: a folder, created if missing. A `text` corpus writes nothing there.
      report: called with one line of text per slow or unexpected step.
    Raises: UserError or OSError that says what is wrong and what to do; see `load_text`, `load_tfds`, `load_builtin`.
    """
    if config.name == "text":
        return load_text(config)
    if config.name == "reverse":
        return load_reverse(Path(cache), report)
    if config.is_tfds:
        return load_tfds(config, Path(cache), report)
    return load_builtin(config.name, Path(cache), report)
