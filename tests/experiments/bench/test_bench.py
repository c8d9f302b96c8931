"""The speed benchmark: contestants take turns, medians are compared, and it runs from end to end."""

import json
import sys

import jax
import jax.extend.core
import pytest

from experiments.bench import bench
from experiments.bench import ours as bench_ours
from experiments.bench import processes as bench_process
from experiments.bench.bench import OURS, PEER, PEER_HUGE
from seq2slim.models import init_params
from tests.support.fake_peers import write_peers


@pytest.fixture
def quickly(monkeypatch):
    """Our side runs in this process: the imports of a dozen processes take longer than what they measure."""
    started = bench_process.printed

    def printed(command, huge_pages):
        if command[1:3] == ["-m", "experiments.bench.ours"]:
            assert huge_pages
            return bench_ours.measure(command[3:])
        return started(command, huge_pages)

    monkeypatch.setattr(bench_process, "printed", printed)


def test_the_full_shapes_are_those_of_the_issue():
    subjects = {subject.command for subject in bench.measurements(quick=False)}
    assert {
        ("train", 1, 256, 8000, 64, 25, 25),
        ("train", 2, 500, 8000, 64, 25, 25),
        ("beam", 2, 500, 8000, 32, 5, 25, 40),
        ("threshold", 4, 1000, 50_000),
    } <= subjects
    shapes = jax.eval_shape(lambda: init_params(bench_ours._config(4, 1000, 50_000), jax.random.key(0)))
    sizes = sorted(leaf.size for leaf in jax.tree.leaves(shapes))
    assert sizes == [2_000_000, *[8_000_000] * 8, *[50_000_000] * 3]


def test_contestants_take_turns():
    subjects = [subject for subject in bench.measurements(quick=True) if subject.command[0] in ("gemm", "beam")]
    order = []
    runs = bench.in_turn(subjects, 2, lambda *turn: order.append(turn) or {"n": len(order)}, peers=True)
    assert order == [(0, OURS), (1, OURS), (1, PEER), (1, PEER_HUGE)] * 2
    assert runs[1, PEER] == [{"n": 3}, {"n": 7}]
    assert set(bench.in_turn(subjects, 1, lambda *_: {}, peers=False)) == {(0, OURS), (1, OURS)}


def rows_of(ours, peer=None, peer_huge=None, threshold_s=0.5, judged=True):
    """Rows of a product rate of 100 GFLOP/s, a training step (floor 1.3x) and the threshold."""
    full = bench.measurements(quick=False)
    subjects = [full[0], full[1], full[-1]]
    pruned = {"threshold_s": threshold_s, "threshold_gb": 0.3, "masks_s": 2, "masks_gb": 1}
    runs = {(0, OURS): [{"gflop_per_s": 100}], (2, OURS): [pruned]}
    for contestant, values in ((OURS, ours), (PEER, peer), (PEER_HUGE, peer_huge)):
        if values:
            runs[1, contestant] = [{"target_tokens_per_s": v, "gflop_per_s": v / 10} for v in values]
    return {(row["unit"], row["figure"].split()[0]): row for row in bench.rows(subjects, runs, judged)}


def test_rows_compare_medians_with_the_better_peer():
    row = rows_of([500, 600, 9000], [300, 200, 9000], [400, 100, 420])["tokens/s", "training"]
    assert (row[OURS], row[PEER], row[PEER_HUGE]) == (600, 300, 400)
    assert (row["ratio"], row["floor"], row["met"], row["share_of_gemm"]) == (1.5, 1.3, True, 0.6)
    row = rows_of([500], [400], [300])["tokens/s", "training"]
    assert (row["ratio"], row["met"]) == (1.25, False)


def test_rows_judge_only_what_is_known():
    rows = rows_of([500], threshold_s=1.5)
    assert (rows["tokens/s", "training"]["ratio"], rows["tokens/s", "training"]["met"]) == (None, None)
    assert rows["s", "exact"]["met"] is False
    assert rows["s", "threshold"]["met"] is True
    assert rows["GB", "threshold:"]["met"] is False
    assert rows["GB", "masks:"]["met"] is None
    assert all(row["met"] is None for row in rows_of([500], [1], [1], judged=False).values())


def test_benchmark_with_peers(tmp_path, monkeypatch, capsys, quickly):
    (tmp_path / "torch.py").write_text("__version__ = 'fake'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("os.getloadavg", lambda: (64.0, 1.0, 1.0))
    output = tmp_path / "rows.jsonl"
    peers = write_peers(tmp_path)
    bench.main(bench.Config(peers, peer_python=sys.executable, rounds=1, quick=True, output=output))
    shown = capsys.readouterr().out
    assert "WARNING: other work is running (load average 64.0" in shown
    assert "training step, 2x8" in shown
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    compared = [row for row in rows if row["floor_is"] == "ratio"]
    assert [row["command"].split()[0] for row in compared] == ["train", "train", "beam"]
    for row in compared:
        assert (row[PEER], row[PEER_HUGE], row["ratio"]) == (1, 2, row[OURS] / 2)
    assert {row["machine"]["torch"] for row in rows} == {"fake"}
    assert all(row[OURS] > 0 for row in rows if row["unit"] != "GB")


def test_without_torch_the_peers_are_skipped(tmp_path, monkeypatch, capsys, quickly):
    monkeypatch.setattr(bench, "measurements", lambda quick: SLIM)
    config = bench.Config(write_peers(tmp_path), peer_python=str(tmp_path / "no-python"), rounds=1, quick=True)
    bench.main(config)
    shown = capsys.readouterr().out
    assert "The PyTorch peers are skipped" in shown
    assert "no-python cannot import torch" in shown


SLIM = [subject for subject in bench.measurements(quick=True) if subject.command[0] in ("gemm", "threshold")]


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        bench.Config(rounds=0)
    with pytest.raises(FileNotFoundError, match="no folder"):
        bench.Config(output=tmp_path / "nowhere" / "rows.jsonl")
    with pytest.raises(FileNotFoundError, match="torch_"):
        bench.main(bench.Config(peers=tmp_path, quick=True))
    write_peers(tmp_path, "raise SystemExit('the peer is broken')")
    with pytest.raises(RuntimeError, match="the peer is broken"):
        bench_process.printed([sys.executable, str(tmp_path / "torch_train.py")], huge_pages=False)
