"""Every test of the study has its own runs folder and working directory."""

import pytest


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """Nothing is written into the working directory; nothing published is read from there."""
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
