"""metrics.jsonl: valid JSON for all values, cut back on resume; only an unfinished last line is accepted."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from seq2slim.training.metrics import Metrics, cut_back, read_metrics
from tests.support.full_disk import at_most


def events(folder):
    """(step, tag, value) of all events; the record format is length u64, crc u32, bytes, crc u32."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            if event.HasField("session_log"):
                found.append((event.step, "session", event.session_log.status))
            data = data[16 + size :]
    return found


def test_rows_come_back(tmp_path):
    with Metrics(tmp_path) as metrics:
        metrics.write(1, loss=jnp.float32(0.5), tokens=np.int64(7), kind="train")
        metrics.write(2, loss=math.nan, best=-math.inf, curve=[1.0, math.inf], stopped=True, note=None)
    one, two = read_metrics(tmp_path / "metrics.jsonl")
    assert one == {"step": 1, "loss": 0.5, "tokens": 7, "kind": "train"}
    assert math.isnan(two.pop("loss"))
    assert two == {"step": 2, "best": -math.inf, "curve": [1.0, math.inf], "stopped": True, "note": None}

    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=no_constant)


def test_resuming_removes_lines_beyond_the_step(tmp_path):
    with Metrics(tmp_path) as metrics:
        for step in range(1, 6):
            metrics.write(step, loss=float(step))
        metrics.sync()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    with Metrics(tmp_path, resume_step=3) as metrics:
        metrics.write(4, loss=40.0)
    assert [(row["step"], row["loss"]) for row in read_metrics(tmp_path / "metrics.jsonl")] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 40),
    ]
    board = events(tmp_path / "tensorboard")
    assert (4, "session", 1) in board  # START at step 4: TensorBoard hides what older files hold from there on
    assert board[-1] == (4, "loss", 40.0)
    with Metrics(tmp_path, tensorboard=False):
        assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_only_an_unfinished_last_line_is_accepted(tmp_path):
    path = tmp_path / "m.jsonl"
    cut_back(path, 3)
    assert not path.exists()
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n\xff{"st')
    assert [row["step"] for row in read_metrics(path)] == [1, 2]
    for bad in (
        b'{"step": 1}\n{"st\n{"step": 3}\n',
        b'{"step": 1}\n[2]\n',
        b'{"step": 1}\n{"loss": 2}\n',
        b'{"step": 1}\n\n',
    ):
        path.write_bytes(bad)
        for read in (read_metrics, lambda path: cut_back(path, 9)):
            with pytest.raises(ValueError, match=r"m\.jsonl, line 2: not"):
                read(path)
        assert path.read_bytes() == bad


def test_a_resumed_run_leaves_out_damaged_lines_and_reports_them(tmp_path):
    path, reported = tmp_path / "metrics.jsonl", []
    path.write_bytes(b'{"step": 1}\n{"st\n[2]\n' + b"[" * 100_000 + b'\n{"step": 3}\n{"step": 5}\n')
    with Metrics(tmp_path, 4, tensorboard=False, report=reported.append) as metrics:
        metrics.write(4)
    assert [row["step"] for row in read_metrics(path)] == [1, 3, 4]
    assert [line[: line.index(" is left out")] for line in reported] == [
        f"{path}, line {number}" for number in (2, 3, 4)
    ]


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_full_disk_is_an_error_and_no_hang(tmp_path, tensorboard):
    """TensorBoard's events are longer than our lines, so they fail first; without them a line is cut in the middle."""
    values = {f"measured_{i}": 0.5 for i in range(20)}

    def write_on():
        with Metrics(tmp_path, tensorboard=tensorboard) as metrics:
            for step in range(1, 1000):
                metrics.write(step, **values)

    with at_most(20_000), pytest.raises(OSError, match="File too large"):
        write_on()
    rows = read_metrics(tmp_path / "metrics.jsonl")
    last = len(rows)
    assert [row["step"] for row in rows] == list(range(1, last + 1))
    assert last > 10
    assert (tmp_path / "metrics.jsonl").read_bytes().endswith(b"\n") is tensorboard
    with Metrics(tmp_path, resume_step=last) as metrics:
        metrics.write(last + 1, **values)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == list(range(1, last + 2))
