"""`contents` of a file, against independent counts."""

import os

import numpy as np
import pytest

from seq2slim import storage
from seq2slim.storage import ModelFileError
from tests.support.damage import parts, sealed, small_file
from tests.support.hostile_files import LIMIT, MB, compressed, one_leaf


def bits(symbols):
    _, counts = np.unique(symbols, return_counts=True)
    return -sum(n * np.log2(n / len(symbols)) for n in counts)


def test_rows_count_and_measure(tmp_path):
    generator = np.random.default_rng(0)
    leaf, mask = generator.standard_normal((300, 200)).astype(np.float32), generator.random((300, 200)) < 0.25
    leaf = np.where(mask, leaf, np.float32(0))
    path = tmp_path / "model.slim"
    params = {"a": {"w": leaf}, "b": np.ones(3, np.float32)}
    written = storage.write(path, params, {"a": {"w": mask}, "b": np.array(True)}, "float16")
    kernel, bias = storage.contents(path)
    assert (kernel.path, kernel.shape, kernel.codec) == ("a/w", (300, 200), "float16")
    assert (kernel.kept, kernel.weights) == (mask.sum(), mask.size)
    assert kernel.positions in ("gaps", "bitmask")
    assert (bias.path, bias.codec, bias.positions, bias.position_bytes) == ("b", "float32", "-", 0)
    stored = sum(row.position_bytes + row.value_bytes for row in (kernel, bias))
    assert stored < written == os.path.getsize(path)

    halves = leaf[mask].astype(np.float16).view(np.uint16)
    rotated = (halves << 1) | (halves >> 15)
    density = mask.mean()
    positions = -mask.size * (density * np.log2(density) + (1 - density) * np.log2(1 - density))
    limit = (positions + bits(rotated >> 8) + bits(rotated & 255)) / 8
    assert kernel.entropy_bytes == pytest.approx(limit, abs=1)


def test_the_contents_are_read_with_the_same_care(tmp_path):
    target = tmp_path / "hostile.slim"
    lossless = small_file(tmp_path).read_bytes()
    header, payload = parts(lossless)
    for content in (lossless[:-1], sealed({**header, "x": {}}, payload), one_leaf(compressed(MB), 100, (10, 10))):
        target.write_bytes(content)
        with pytest.raises(ModelFileError):
            storage.contents(target, LIMIT)
