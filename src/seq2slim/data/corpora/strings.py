"""Interface strings of Home Assistant (Apache-2.0) and their translations, joined by key, out of its wheel.

The wheel holds one JSON file a component and language: nested objects whose leaves are strings. Modern, short, some
with `{placeholders}` and Markdown.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from seq2slim.data.corpora.wheels import Wheel

VERSION = 1
WHEEL = Wheel(
    "homeassistant==2026.11.0",
    "homeassistant-2026.11.0-py3-none-any.whl",
    "7ca5fbde9dea879ac7723949fc84347aac5182e6309c357b2e4973fd391b00f7",
    megabytes=68,
)
_FILE = re.compile(r"homeassistant/components/([^/]+)/translations/([^/]+)\.json")
_MIN_WORDS = 4  # of the source: shorter strings are mostly names of buttons and units
_PARTS = 16  # one part of the components is valid, one is test: about 1,100 and 1,300 English-German pairs

Strings = dict[tuple[str, ...], str]  # text by (component, key, key, ...)


def read_pairs(wheel: Path, languages: tuple[str, str]) -> dict[str, list[tuple[str, str]]]:
    """The string pairs of two languages by split, sorted by component and key."""
    source, target = languages
    read = _read(wheel, languages)
    return split_strings(read[source], read[target])


def split_strings(source: Strings, target: Strings) -> dict[str, list[tuple[str, str]]]:
    """The pairs of the keys that both sides have, sorted, by split.

    Sources of fewer than `_MIN_WORDS` words and untranslated strings are dropped. Splits are by component, from a hash
    of its name. A source that occurs again, in the same split or a later one (train, valid, test), is dropped.
    """
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "valid": [], "test": []}
    for key in sorted(source.keys() & target.keys()):
        pair = source[key], target[key]
        if len(pair[0].split()) >= _MIN_WORDS and pair[1] and pair[0] != pair[1]:
            splits[_split_of(key[0])].append(pair)
    seen: set[str] = set()
    for split, pairs in splits.items():
        first: dict[str, str] = {}
        for text, translation in pairs:
            if text not in seen:
                first.setdefault(text, translation)
        seen |= first.keys()
        splits[split] = list(first.items())
    return splits


def _read(wheel: Path, languages: tuple[str, str]) -> dict[str, Strings]:
    strings: dict[str, Strings] = {language: {} for language in languages}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            match = _FILE.fullmatch(name)
            if match and match[2] in strings:
                strings[match[2]].update(_leaves(json.loads(archive.read(name)), (match[1],)))
    return strings


def _leaves(node: Mapping | str, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, text) of every string below `node`; white space of any kind, line breaks too, becomes one space."""
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(node, str):
        yield path, " ".join(node.split())


def _split_of(component: str) -> str:
    digest = hashlib.sha256(component.encode()).digest()
    return {0: "valid", 1: "test"}.get(int.from_bytes(digest[:4], "big") % _PARTS, "train")
