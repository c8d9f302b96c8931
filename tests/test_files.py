"""Files are whole or not there; the lock lets one process in at a time (tests/runs/test_faults.py)."""

import hashlib
import os
import subprocess
import sys

import pytest

from seq2slim.files import file_sha256, scratch_folder, write_atomically, written_whole


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    write_atomically(tmp_path / "x", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "x", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def half():
        with written_whole(tmp_path / "x") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list(tmp_path.iterdir()) == []


def test_bytes_text_and_their_hash(tmp_path):
    write_atomically(tmp_path / "text", "süß\n")
    write_atomically(tmp_path / "bytes", "süß\n".encode())
    assert (tmp_path / "text").read_bytes() == (tmp_path / "bytes").read_bytes() == "süß\n".encode()
    assert file_sha256(tmp_path / "text") == hashlib.sha256("süß\n".encode()).hexdigest()


def test_what_a_kill_leaves_goes_with_the_next_writing(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    node = os.uname().nodename
    left = {name: tmp_path / name for name in (f".x.{node}-{dead.pid}.tmp", f".x.{node}-1.tmp", ".x.elsewhere-7.tmp")}
    for path in left.values():
        path.write_bytes(b"half")
    write_atomically(tmp_path / "x", "whole")
    # That of a process that lives, and of another machine, stay.
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*list(left)[1:], "x"])


def test_a_scratch_folder_goes_with_its_block_or_with_the_next_one(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getpid()):  # of one that was killed; of one that had our number
        left = tmp_path / f".x.{os.uname().nodename}-{process}.tmp"
        left.mkdir()
        (left / "half").write_bytes(b"half")
    with pytest.raises(KeyError), scratch_folder(tmp_path / "x") as scratch:  # noqa: PT012 - the block raises
        assert [path.name for path in tmp_path.iterdir()] == [scratch.name]
        assert list(scratch.iterdir()) == []
        (scratch / "inside").mkdir()
        raise KeyError
    assert list(tmp_path.iterdir()) == []
