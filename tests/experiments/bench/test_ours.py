"""Our side of the benchmark: FLOPs, peak memory, and its command."""

import sys

import jax
import jax.extend.core
import numpy as np
import pytest

from experiments.bench import ours as bench_ours
from experiments.bench import processes as bench_process
from seq2slim.data.batching import Batch
from seq2slim.losses import batch_nll
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params


def product_flops(jaxpr, times=1):
    """FLOPs of every dot_general of a jaxpr, those inside a scan once a step."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            depth = np.prod([equation.invars[0].aval.shape[axis] for axis in contracted], dtype=int)
            total += times * 2 * depth * equation.outvars[0].aval.size
        inner = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        total += sum(product_flops(sub, inner) for sub in jax.extend.core.jaxprs_in_params(equation.params))
    return total


@pytest.mark.parametrize("shape", [(1, 4, 11, 2, 3, 5), (3, 6, 20, 4, 7, 2)])
def test_training_flops_are_those_of_the_traced_gradient(shape):
    layers, units, vocabulary, batch, source_length, target_length = shape
    config = Seq2SeqConfig(vocabulary, vocabulary, layers=layers, units=units, dropout=0.0)
    target = np.ones((batch, target_length), np.int32)
    data = Batch(np.ones((batch, source_length), np.int32), target, target, np.arange(batch))
    params = jax.eval_shape(lambda: init_params(config, jax.random.key(0)))
    gradient = jax.grad(lambda p: batch_nll(Seq2Seq(config), p, data)[0])
    assert bench_ours.training_flops(*shape) == product_flops(jax.make_jaxpr(gradient)(params).jaxpr)


def test_peak_memory_of_a_call_is_what_it_needed_beyond_what_was_there():
    there = np.ones(8_000_000, np.float32)
    seconds, gigabytes, reset = bench_ours._first_call(lambda: np.ones(16_000_000, np.float32).sum())
    assert seconds > 0
    assert there.size
    if reset:
        assert gigabytes == pytest.approx(0.064, abs=0.02)


def test_our_side_is_a_program():
    answer = bench_process.printed([sys.executable, "-m", "experiments.bench.ours", "gemm", "32"], huge_pages=True)
    assert answer["gflop_per_s"] == max(answer["xla_gflop_per_s"], answer["blas_gflop_per_s"]) > 0
