"""docs/references.md: every paper that the project cites, once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
PAPERS = dict(re.findall(r"^\| ([^|]*\d{4}) \| (.*) \|$", PAGE, re.MULTILINE))
_NAME = r"[A-Z][A-Za-z-]+"
_CITATION = re.compile(rf"({_NAME}(?:, {_NAME})*)(?:,? (?:&|and) ({_NAME})|( et al\.))?,? \(?((?:19|20)\d\d)\b")


def key(first: str, last: str, et_al: str, year: str) -> str:
    """The key of a citation, which may name more of its authors than the key does."""
    names = first.split(", ")
    if et_al:
        return f"{first} et al. {year}"
    if last:
        return f"{names[0]} et al. {year}" if len(names) > 1 else f"{first} & {last} {year}"
    return f"{names[-1]} {year}"  # one author; what else ends in a year is no citation


def sources() -> list[Path]:
    """All that cites, but this page and its test."""
    found = [path for name in ("src", "experiments", "tests") for path in (ROOT / name).rglob("*.py")]
    found += [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return sorted(path for path in found if path.name not in ("references.md", "test_references.py"))


@pytest.fixture(scope="module")
def cited():
    """Key -> the files that cite it."""
    found = {}
    for path in sources():
        for first, last, et_al, year in _CITATION.findall(" ".join(path.read_text(encoding="utf-8").split())):
            if last or et_al or f"{first} {year}" in PAPERS:
                found.setdefault(key(first, last, et_al, year), []).append(path.relative_to(ROOT).as_posix())
    return found


def test_every_citation_has_its_paper(cited):
    unknown = {name: files for name, files in cited.items() if name not in PAPERS}
    assert not unknown


def test_every_paper_is_cited(cited):
    assert set(PAPERS) <= set(cited)


def test_each_paper_stands_once_in_order_with_one_address():
    keys = re.findall(r"^\| ([^|]*\d{4}) \|", PAGE, re.MULTILINE)
    assert keys == sorted(set(keys))
    addresses = [re.findall(r"<(https://[^>]+)>", paper) for paper in PAPERS.values()]
    assert all(len(found) == 1 for found in addresses)
    assert len({found[0] for found in addresses}) == len(PAPERS)


@pytest.mark.parametrize("folder", ["src", "experiments"])
def test_addresses_stand_here_alone(folder):
    address = re.compile(r"arxiv\.org|arXiv:|aclanthology|aclweb|doi\.org", re.IGNORECASE)
    assert not [path for path in (ROOT / folder).rglob("*.py") if address.search(path.read_text(encoding="utf-8"))]
