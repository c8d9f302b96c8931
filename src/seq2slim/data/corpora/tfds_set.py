"""Translation sets of TensorFlow Datasets, by their names there: `tfds:ted_hrlr_translate/pt_to_en`."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seq2slim.data.corpora.corpus import TFDS_PREFIX, Corpus, CorpusConfig
from seq2slim.data.corpora.prepared import Pairs, prepare
from seq2slim.data.corpora.tfds_source import brief, generate, local_info, read_pairs, require_tfds
from seq2slim.errors import UserError

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

_VERSION = 1  # of the output of `read_pairs`; the version of the set is part of the folder's name


def load_tfds(config: CorpusConfig, cache: Path, report: Callable[[str], None]) -> Corpus:
    """The set `tfds:NAME[/CONFIG][:VERSION]` as plain text in `cache`, fetched and prepared by TFDS on first use.

    Source and target are the set's supervised keys unless `config.languages` names others. A set that is already in
    `$TFDS_DATA_DIR` (else `cache/tfds`) as array_record files is only read, so a set that this machine cannot prepare
    can be copied there.

    Raises, in one line that says what to do:
      UserError: no such set, config, version, language or split, or not a translation set.
      OSError: it cannot be downloaded, needs a package that is not installed, or its files are damaged.
    """
    name, data_dir = config.name, Path(os.environ.get("TFDS_DATA_DIR") or cache / "tfds").expanduser()
    require_tfds(name)
    builder = _builder(name, data_dir)
    languages = _languages(builder, config)

    def build() -> dict[str, Pairs]:
        if not (Path(builder.data_dir) / "dataset_info.json").is_file():
            report(f"{name}: TensorFlow Datasets fetches and prepares it in {builder.data_dir}")
            try:
                generate(builder, cache / "downloads", progress=sys.stderr.isatty())
            except Exception as error:  # the code of a set may raise anything
                raise _not_prepared(name, data_dir, error) from error
        return read_pairs(builder, languages, name)

    folder = "-".join(["tfds", *builder.info.full_name.split("/"), *sorted(languages)])
    return dataclasses.replace(prepare(folder, languages, _VERSION, cache, build, report), name=name)


def _builder(name: str, data_dir: Path) -> DatasetBuilder:
    import tensorflow_datasets as tfds

    with contextlib.suppress(ImportError):
        # TFDS registers the sets of this module too late if it stops at a missing package.
        import tensorflow_datasets.translate
    asked = name.removeprefix(TFDS_PREFIX)
    dataset, config = re.fullmatch(r"([^/:]*)/?([^:]*).*", asked, re.DOTALL).groups()
    known = tfds.list_builders(with_community_datasets=False)
    if data_dir.is_dir():
        known += [folder.name for folder in data_dir.iterdir() if folder.is_dir()]
    if dataset not in known:
        near = difflib.get_close_matches(dataset, known, n=1, cutoff=0.0)[0]
        raise UserError(f"TensorFlow Datasets has no set {dataset!r}: did you mean {TFDS_PREFIX + near!r}?")
    try:
        with contextlib.redirect_stdout(io.StringIO()), local_info():
            return tfds.builder(asked, data_dir=data_dir)
    except Exception as error:
        if _missing_package(error):
            raise _not_prepared(name, data_dir, error) from error
        with contextlib.suppress(Exception):
            configs = tfds.builder_cls(dataset).builder_configs
            if config and config not in configs and configs:
                near = difflib.get_close_matches(config, configs, n=1, cutoff=0.0)[0]
                error = ValueError(f"it has no config {config!r}, did you mean {f'{TFDS_PREFIX}{dataset}/{near}'!r}?")
        why = brief(error).rpartition('}": ')[2]  # TFDS puts the builder's arguments, as a dict, before the cause
        raise UserError(f"corpus {name!r}: {why.removeprefix('ValueError: ')}") from error


def _languages(builder: DatasetBuilder, config: CorpusConfig) -> tuple[str, str]:
    """(source, target): two text features of the set."""
    from tensorflow_datasets import features

    found, keys = builder.info.features, builder.info.supervised_keys
    texts = [key for key, feature in dict(found or {}).items() if isinstance(feature, features.Text)]
    if config.languages is not None:
        if not set(config.languages) <= set(texts):
            raise UserError(
                f"languages={config.languages}: corpus {config.name!r} has {', '.join(sorted(texts)) or 'no text'}"
            )
        return config.languages
    if keys is not None and len(keys) == 2 and set(keys) <= set(texts):
        return tuple(keys)
    if len(texts) == 2:
        return tuple(sorted(texts))
    raise UserError(
        f"corpus {config.name!r} is not a translation set of two languages: an example of it holds "
        f"{', '.join(dict(found or {})) or 'nothing'} and its supervised keys are {keys}"
        + (f"; choose two of {', '.join(sorted(texts))} by `languages`" if len(texts) > 2 else "")
    )


def _not_prepared(name: str, data_dir: Path, error: Exception) -> OSError:
    asked = name.removeprefix(TFDS_PREFIX)
    if package := _missing_package(error):
        why = f"needs the package {package}, which seq2slim does without"
    elif url := next((cause.request.url for cause in _causes(error) if getattr(cause, "request", None)), None):
        why = f"could not be downloaded ({type(error).__name__}: {url})"
    else:
        why = f"could not be prepared ({brief(error)})"
    return OSError(
        f"corpus {name!r} {why}: prepare it on a machine that can, `tfds build {asked} --file_format=array_record`, "
        f"and copy ~/tensorflow_datasets/{re.split('[/:]', asked)[0]} to {data_dir}"
    )


def _missing_package(error: BaseException) -> str | None:
    missing = (cause for cause in _causes(error) if isinstance(cause, ImportError))
    return next((cause.name or brief(cause) for cause in missing), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
