"""Checkpoints are restored bit for bit; damage, a crash at any operation or a full disk never costs an earlier one."""

import errno
import os
import random
import shutil
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from seq2slim.training import checkpoints as checkpoints_module
from seq2slim.training import manifest
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from tests.support.full_disk import at_most, content, items, small_disk


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(*(map(np.asarray, jax.tree.leaves(tree)) for tree in (actual, expected))):
        assert (a.dtype, a.shape, a.tobytes()) == (e.dtype, e.shape, e.tobytes())


@pytest.fixture(scope="module")
def three_checkpoints(tmp_path_factory):
    """Checkpoints 10 (best), 20 and 30."""
    folder = tmp_path_factory.mktemp("three")
    checkpoints = Checkpoints(folder)
    for step in (10, 20, 30):
        checkpoints.save(step, items(step), best=step == 10)
    return folder


@pytest.fixture
def folder(three_checkpoints, tmp_path):
    return shutil.copytree(three_checkpoints, tmp_path / "saves")


def test_any_pytree_is_restored_bit_for_bit(tmp_path):
    params = {
        "f32": jnp.array([[-0.0, jnp.nan, jnp.inf, 1e-45]]),
        "bf16": jnp.arange(5).astype(jnp.bfloat16),
        "with.dot": {"none": None, "empty": jnp.zeros((0, 3)), "tuple": (jnp.int8(1), [jnp.uint32(2**32 - 1)])},
    }
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    everything = {
        "params": params,
        "masks": {"kernel": jnp.array([True, False]), "bias": jnp.array(True)},
        "optimizer": optimizer.init({"w": jnp.ones((2, 2))}),
        "nothing": optax.sgd(0.1).init(params),
        "key": jax.random.key_data(jax.random.key(7)),
        "position": {"step": np.int64(2**40), "best": np.float64(0.1)},
    }
    Checkpoints(tmp_path).save(3, everything)
    step, restored = Checkpoints(tmp_path).restore(everything)
    assert step == 3
    assert_same(restored, everything)
    assert isinstance(restored["position"]["step"], np.integer | np.ndarray)
    abstract = jax.eval_shape(lambda: {name: everything[name] for name in ("params", "optimizer")})
    _, restored = Checkpoints(tmp_path).restore(abstract)
    assert_same(restored, {name: everything[name] for name in ("params", "optimizer")})
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(restored))


def test_a_restored_array_can_be_donated(folder):
    _, restored = Checkpoints(folder).restore(items(0))
    kernel = restored["params"]["encoder"]["layer_1"]["kernel"]
    doubled = jax.jit(lambda x: 2 * x, donate_argnums=0)(kernel)
    assert kernel.is_deleted()
    np.testing.assert_array_equal(doubled, np.full((4, 8), 60.0))


def test_orbax_alone_reads_the_items_as_nested_dicts(folder):
    alone = ocp.StandardCheckpointer().restore(folder / "step_00000030" / "items" / "params")
    np.testing.assert_array_equal(alone["encoder"]["layer_1"]["kernel"], np.full((4, 8), 30.0))


def test_one_item_with_and_without_a_pattern(folder):
    checkpoints = Checkpoints(folder)
    assert_same(checkpoints.restore_item("params"), (30, items(30)["params"]))
    assert_same(checkpoints.restore_item("params", best=True), (10, items(10)["params"]))
    assert_same(checkpoints.restore_item("position", like=items(0)["position"], step=20), (20, items(20)["position"]))
    with pytest.raises(CheckpointError, match=r"no item 'masks'.*params"):
        checkpoints.restore_item("masks")


def test_items_gives_dtypes_and_shapes(folder, tmp_path):
    kernel = {"encoder/layer_1/kernel": ("float32", (4, 8)), "softmax": ("float32", (3,))}
    assert Checkpoints(folder).items() == {"params": kernel, "position": {"epoch": ("int64", ())}}
    assert Checkpoints(tmp_path / "none").items() == {}


def test_the_last_two_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(items(0)) is checkpoints.latest() is checkpoints.best() is None
    seen = []
    for step, best in [(0, True), (5, False), (10, True), (15, False), (20, False), (25, False)]:
        checkpoints.save(step, items(step), best=best)
        seen.append(checkpoints.steps())
    assert seen == [[0], [0, 5], [5, 10], [10, 15], [10, 15, 20], [10, 20, 25]]
    assert (checkpoints.latest(), checkpoints.best()) == (25, 10)
    assert_same(checkpoints.restore(items(0), best=True), (10, items(10)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000010-best", "step_00000020", "step_00000025"]


def test_a_step_saved_again_stays_the_best(folder):
    checkpoints = Checkpoints(folder)
    checkpoints.save(30, items(30), best=True)
    checkpoints.save(30, items(31))
    assert (checkpoints.steps(), checkpoints.best()) == ([20, 30], 30)
    assert_same(checkpoints.restore(items(0), best=True), (30, items(31)))


def test_saving_removes_checkpoints_beyond_the_step(folder):
    checkpoints = Checkpoints(folder)
    checkpoints.save(25, items(25))
    assert checkpoints.steps() == [10, 20, 25]


def flip_bit(path):
    data = bytearray(path.read_bytes())
    place = random.Random(path.name).randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("damage", [flip_bit, truncate, os.unlink])
def test_damage_to_any_file_is_found_and_the_checkpoint_before_is_used(folder, damage):
    files = [path for path in (folder / "step_00000030").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        intact, reported = path.read_bytes(), []
        damage(path)
        step, restored = Checkpoints(folder, report=reported.append).restore(items(0))
        assert step == 20, path
        assert_same(restored, items(20))
        assert len(reported) == 1
        assert "step_00000030 is damaged" in reported[0]
        assert "\n" not in reported[0]
        path.write_bytes(intact)
    assert Checkpoints(folder).restore(items(0))[0] == 30


def test_an_extra_file_or_another_name_is_damage_too(folder):
    (folder / "step_00000030" / "items" / "extra").touch()
    os.rename(folder / "step_00000020", folder / "step_00000025")
    reported = []
    assert Checkpoints(folder, report=reported.append).restore(items(0))[0] == 10
    assert len(reported) == 2


def test_damage_to_another_item_does_not_matter(folder):
    for path in (folder / "step_00000030" / "items" / "position").rglob("*"):
        if path.is_file():
            flip_bit(path)
    assert Checkpoints(folder).restore_item("params")[0] == 30
    assert Checkpoints(folder, report=lambda _: None).restore(items(0))[0] == 20


def test_training_resumes_after_damage(folder):
    truncate(next((folder / "step_00000030" / "items" / "params" / "d").iterdir()))
    checkpoints = Checkpoints(folder, report=lambda _: None)
    assert checkpoints.restore(items(0))[0] == 20
    checkpoints.save(30, items(30))
    assert_same(checkpoints.restore(items(0)), (30, items(30)))


class Crash(BaseException):
    """Simulates kill -9: no operation after this one takes place."""


def dying(monkeypatch, at):
    """Makes operation `at` of the module and all later ones fail, a deletion halfway. Returns the operations begun."""
    done = []

    def mortal(operation):
        def run(*args, **kwargs):
            done.append(operation)
            if len(done) > at:
                if len(done) == at + 1 and operation is shutil.rmtree:
                    next(path for path in args[0].rglob("*") if path.is_file()).unlink()
                raise Crash
            return operation(*args, **kwargs)

        return run

    for module in (manifest, checkpoints_module):
        monkeypatch.setattr(module, "fsync", lambda _: None)
    monkeypatch.setattr(checkpoints_module, "os", SimpleNamespace(rename=mortal(os.rename)))
    monkeypatch.setattr(checkpoints_module, "shutil", SimpleNamespace(rmtree=mortal(shutil.rmtree)))
    monkeypatch.setattr(manifest, "_manifest_text", mortal(manifest._manifest_text))
    return done


@pytest.mark.parametrize(("step", "best"), [(40, True), (30, False), (10, True)])
def test_a_crash_at_any_operation_loses_nothing(folder, tmp_path, monkeypatch, step, best):
    new = items(step + 1)  # so that the content of a replaced step shows which of the two it is

    def assert_whole(found, restored):
        assert found in {10, 20, 30, step}
        assert_same(restored, new if found == step and restored["position"]["epoch"] == step + 1 else items(found))

    for at in range(100):
        trial = shutil.copytree(folder, tmp_path / str(at))
        with monkeypatch.context() as patch:
            done = dying(patch, at)
            try:
                Checkpoints(trial).save(step, new, best=best)
            except Crash:
                pass
            else:
                assert at == len(done) >= 3
                return
        reported, before = [], content(trial)
        newest = Checkpoints(trial, report=reported.append).restore(items(0))
        best_one = Checkpoints(trial, report=reported.append).restore(items(0), best=True)
        assert_whole(*newest)
        assert_whole(*best_one)
        assert newest[0] >= min(step, 30)
        assert best_one[0] in ({10, step} if best else {10})
        assert reported == []  # the leftovers of a kill are never read as a checkpoint
        assert content(trial) == before  # and a reader changes nothing
        Checkpoints(trial).save(50, items(50))
        assert all(path.name.startswith("step_") for path in trial.iterdir())
        assert_same(Checkpoints(trial).restore(items(0)), (50, items(50)))
        assert Checkpoints(trial).best() == best_one[0]


def test_a_failing_fsync_leaves_earlier_checkpoints_and_no_trace(folder, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = content(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match=r"step 40 not saved in .*No space left.* kept: \[10, 20, 30\]"):
            Checkpoints(folder).save(40, items(40))
    assert content(folder) == before
    Checkpoints(folder).save(40, items(40))
    assert Checkpoints(folder).steps() == [10, 30, 40]


# Orbax closes its event loop at the first error, while others of its threads still write.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_limit_on_file_size_leaves_earlier_checkpoints_and_no_trace(folder, tmp_path):
    """At every file of a checkpoint in turn, also those that Orbax writes."""
    before = content(folder)
    trial = shutil.copytree(folder, tmp_path / "trial")
    sizes = {path.stat().st_size for path in Checkpoints(trial).save(40, items(40)).rglob("*") if path.is_file()}
    assert len(sizes) >= 5
    for size in sorted(sizes):  # which vary by some bytes between checkpoints
        with (
            at_most(size // 2),
            pytest.raises(CheckpointError, match=r"step 40 not saved.*kept: \[10, 20, 30\]"),
        ):
            Checkpoints(folder).save(40, items(40))
        assert content(folder) == before
    with at_most(2 * max(sizes)):
        Checkpoints(folder).save(40, items(40))
    assert_same(Checkpoints(folder).restore(items(0)), (40, items(40)))


def test_a_full_disk_leaves_earlier_checkpoints_and_no_trace(tmp_path):
    """In another process, on a file system of 300 KiB with less and less free space."""
    disk = small_disk(tmp_path, 300)
    if not disk:
        pytest.skip("no file system can be mounted here")
    done = subprocess.run(
        [*disk, sys.executable, "-m", "tests.support.full_disk", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    failures = int(done.stdout.split()[-1])
    assert failures >= 5, done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p | {"softmax": jnp.zeros(4)},
            r"leaf softmax in params of .* is float32\[3\], asked for float32\[4\]",
        ),
        (lambda p: p | {"softmax": jnp.zeros(3, jnp.bfloat16)}, "asked for bfloat16"),
        (lambda p: p | {"bias": jnp.zeros(3)}, "has no leaf bias"),
        (lambda p: {"softmax": p["softmax"]}, "has a leaf encoder/layer_1/kernel that is not asked for"),
    ],
)
def test_another_structure_is_a_clear_error(folder, change, message):
    with pytest.raises(CheckpointError, match=message):
        Checkpoints(folder).restore({"params": change(items(0)["params"])})


def test_at_least_one_checkpoint_is_kept(tmp_path):
    with pytest.raises(ValueError, match="keep must be at least 1, got 0"):
        Checkpoints(tmp_path, keep=0)
