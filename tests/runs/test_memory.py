"""The peak of resident memory: it sees what was allocated and freed, and can be reset."""

from pathlib import Path

import numpy as np
import pytest

from seq2slim.runs import memory

SIZE = 200 * 2**20


def test_the_peak_sees_what_was_freed_and_forgets_it():
    if not memory.reset_peak():
        pytest.skip("this kernel does not let the peak be reset")
    before = memory.peak_bytes()
    held = np.ones(SIZE, np.uint8)
    del held
    assert 0.99 * SIZE < memory.peak_bytes() - before < 1.1 * SIZE  # the kernel counts by batches of pages
    assert memory.reset_peak()
    assert memory.peak_bytes() < before + SIZE / 2


def test_where_the_kernel_tells_nothing_the_peak_of_the_process_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    for text in (None, "Name: python\n"):
        if text:
            (tmp_path / "status").write_text(text)
        assert memory.peak_bytes() > 10 * 2**20
    monkeypatch.setattr(memory, "_PROCESS", Path("/nowhere"))
    assert not memory.reset_peak()
