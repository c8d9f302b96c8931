"""What a model weighs on disk in formats that are not ours, against those formats themselves."""

import zlib

import numpy as np
import pytest
from scipy import sparse

from seq2slim.models import ModelOptions
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.stages import store


def pruned(shape, kept=0.2):
    random = np.random.default_rng(0)
    return random.standard_normal(shape, np.float32) * (random.random(shape) < kept)


@pytest.mark.parametrize(("columns", "index"), [(65_536, np.uint16), (65_537, np.int32)])
def test_compressed_rows_are_those_of_scipy(columns, index):
    matrix, bias = pruned((3, columns)), np.zeros(5, np.float32)
    rows = sparse.csr_matrix(matrix)
    indices = rows.indices.astype(index)
    np.testing.assert_array_equal(indices, rows.indices)  # they fit
    expected = rows.data.nbytes + indices.nbytes + rows.indptr.astype(np.int32).nbytes + bias.nbytes
    assert store.csr_bytes([matrix, bias]) == expected


def test_deflated_is_one_stream_of_all_arrays():
    arrays = [pruned((40, 30)), pruned((7,)), pruned((50, 20)).T]
    whole = zlib.compress(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
    assert store.deflated(arrays) == pytest.approx(len(whole), rel=0.01)  # pieces may be cut elsewhere


def test_a_shape_is_drawn_pruned_and_measured(tmp_path):
    stage = store.StoreShape(ModelOptions("tiny"), words=400, sparsity=0.8, codec="int8")
    runner = Runner(tmp_path, Console())
    (run_dir,) = runner.run(stage)
    found = runner.result(stage)
    assert found["dense_bytes"] > 4 * 3 * 400 * 32  # two embeddings and the softmax among others
    assert found["dense_bytes"] / found["bytes"] == pytest.approx(found["ratio"], rel=1e-3)
    assert found["bytes"] < found["deflated_bytes"] < found["dense_bytes"]
    assert 0.2 * 1.5 < found["csr_bytes"] / found["dense_bytes"] < 0.2 * 1.5 + 0.05
    assert not found["exact"]
    assert not list(run_dir.glob("*.slim"))
