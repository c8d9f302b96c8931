"""What a running stage sees of its runner."""

import os
import signal
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage


@dataclass(frozen=True)
class Reading(Stage):
    """Reads batches, and is asked to stop at the third."""

    kind: ClassVar[str] = "reading"
    stop: bool = field(default=True, metadata={"identity": False})

    def run(self, run_dir, context):
        read = 0
        for _ in context.until_stopped(range(10)):
            read += 1
            if self.stop and read == 3:
                os.kill(os.getpid(), signal.SIGTERM)
        return {"read": read}


def test_a_stage_without_saves_stops_between_batches_and_the_runner_can_go_on(tmp_path):
    runner = Runner(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        runner.run(Reading())
    assert stopped.value.code == 143
    assert not runner.is_finished(Reading())
    runner.run(Reading(stop=False))
    assert runner.result(Reading()) == {"read": 10}
