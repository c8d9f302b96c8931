"""kill -9 in the decode stage: the same command ends with the same corpus, byte for byte, and repeats no shard."""

import os
import signal
import sys

import pytest

from seq2slim.distillation.teacher_corpus import MANIFEST, N_BEST, TARGET
from tests.support.drill import run_and_signal
from tests.support.real_decoding import STAGE, run


@pytest.mark.slow
def test_kill_9_while_decoding(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(tmp_path / "whole"))
    whole = run(tmp_path / "whole").run_dir(STAGE)
    runs = tmp_path / "killed"
    run_dir = runs / whole.name
    environment = {**os.environ, "SEQ2SLIM_RUNS": str(runs)}
    shards = run_dir / "scratch" / "shards-of-1"
    made = {}
    for least in (1, 40, 80):  # of about 130
        code, output = run_and_signal(
            [sys.executable, "-m", "tests.support.real_decoding", str(runs)],
            lambda least=least: len(list(shards.glob("shard-*"))) >= least,
            env=environment,
        )
        assert code == -signal.SIGKILL, output
        now = {path.name: path.stat().st_mtime_ns for path in shards.glob("shard-*")}
        assert made.items() <= now.items()  # none was written again
        assert len(now) >= least
        made = now
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(runs))
    runner = run(runs)
    assert runner.done(STAGE)["resumed"]
    for name in (N_BEST, TARGET, MANIFEST):
        assert (run_dir / name).read_bytes() == (whole / name).read_bytes()
