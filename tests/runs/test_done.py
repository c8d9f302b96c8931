"""done.json: any flipped bit of it, and any change of a small file, is found."""

import math

import pytest

from seq2slim.errors import UserError
from seq2slim.runs.done import CONFIG, DONE, read_done, write_done

RECORD = {"identity": "ab12", "seconds": 1.5, "result": {"best": -math.inf, "loss": math.nan, "names": ["a", "b"]}}


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "small.txt").write_text("small")
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    for name in (CONFIG, ".x.tmp"):
        (tmp_path / name).write_text("not counted")
    write_done(tmp_path, RECORD)
    return tmp_path


def test_the_record_comes_back(run_dir):
    done = read_done(run_dir, "ab12")
    assert repr({name: done[name] for name in RECORD}) == repr(RECORD)  # repr: NaN is unequal to itself
    assert set(done["files"]) == {"small.txt"}
    assert {"python", "jax", "numpy"} <= set(done["versions"])


def test_any_flipped_bit_is_found(run_dir):
    whole = (run_dir / DONE).read_bytes()
    for place in range(len(whole)):
        (run_dir / DONE).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises((UserError, ValueError)):
            read_done(run_dir, "ab12")
    for size in range(0, len(whole), 50):
        (run_dir / DONE).write_bytes(whole[:size])
        with pytest.raises((UserError, ValueError)):
            read_done(run_dir, "ab12")


def test_another_stage_is_refused(run_dir):
    with pytest.raises(UserError, match="belongs to another identity"):
        read_done(run_dir, "cd34")


def test_a_changed_or_missing_small_file_is_found_and_a_large_one_has_its_own_checks(run_dir):
    (run_dir / "large").write_bytes(b"")
    (run_dir / CONFIG).write_text("else")
    read_done(run_dir, "ab12")
    (run_dir / "small.txt").write_text("smalL")
    with pytest.raises(UserError, match=r"small\.txt has changed"):
        read_done(run_dir, "ab12")
    (run_dir / "small.txt").unlink()
    with pytest.raises(FileNotFoundError):
        read_done(run_dir, "ab12")
