"""What says who may use the project, how to cite it, and what changed: equal to what the package says of itself."""

import re
import tomllib

from seq2slim.installation import REPOSITORY, VERSION
from tests.install.environments import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "Copyright 2026 The seq2slim authors" in text
    assert "[yyyy]" not in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"
    assert "license: Apache-2.0\n" in CITATION


def test_citation_names_version_address_and_papers():
    assert f"version: {VERSION}\n" in CITATION
    assert f'repository-code: "{REPOSITORY}"\n' in CITATION
    references = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
    papers = re.findall(r'title: "([^"]*)"\n    authors:.*?year: 2016\n    url: "(.*?)"', CITATION, re.DOTALL)
    assert [url for _, url in papers] == ["https://arxiv.org/abs/1606.09274", "https://arxiv.org/abs/1606.07947"]
    for title, url in papers:
        assert title in references
        assert url in references


def test_changelog_begins_with_what_is_unreleased_and_has_this_version():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert VERSION in headings


def test_python_versions():
    assert PROJECT["requires-python"] == ">=3.11"
    named = [name for name in PROJECT["classifiers"] if re.search(r"3\.\d", name)]
    assert [name.rpartition(" ")[2] for name in named] == ["3.11", "3.12", "3.13"]
