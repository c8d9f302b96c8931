"""Our side of `experiments.bench.bench`: one measurement per process, printed as a line of JSON.

    python -m experiments.bench.ours train LAYERS UNITS VOCAB BATCH SRC_LEN TGT_LEN
    python -m experiments.bench.ours beam LAYERS UNITS VOCAB BATCH BEAM SRC_LEN STEPS
    python -m experiments.bench.ours threshold LAYERS UNITS VOCAB
    python -m experiments.bench.ours gemm SIZE

The model is that of the peers, but without LSTM biases: global dot attention, no input feeding, no dropout, equal
vocabulary sizes on both sides.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim import pruning
from seq2slim.data.batching import Batch
from seq2slim.decoding.beam import beam_search
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params, param_shapes
from seq2slim.pruning import selection
from seq2slim.runs.memory import peak_bytes, reset_peak
from seq2slim.special_ids import BOS, EOS, PAD
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.objectives import nll
from seq2slim.training.step import make_training

REPEATS = 5  # timed calls per process, after one that compiles; the peers do the same
FIRST_WORD = EOS + 1
SPARSITY = 0.8


def train(layers, units, vocabulary, batch, source_length, target_length) -> dict:
    """The project's training step (SGD, clip at 5, mean over target tokens): target tokens/s and GFLOP/s."""
    config = _config(layers, units, vocabulary)
    sgd = OptimizerConfig(name="sgd", learning_rate=1.0, clip_norm=5.0, normalise="token")
    training = TrainingConfig(batch_size=batch, optimizer=sgd, schedule=ScheduleConfig("constant"))
    step, start, _, _ = make_training(nll(config, training), training, steps_per_epoch=1)
    state = start(_params(config), jax.random.key(1))
    target = _words(2, batch, target_length, vocabulary)
    data = Batch(_words(1, batch, source_length, vocabulary), target, np.roll(target, -1, 1), np.arange(batch))

    def one_step():
        nonlocal state
        state, metrics = jax.block_until_ready(step(state, data))
        if metrics["tokens"] != batch * target_length or not np.isfinite(metrics["loss"]):
            raise RuntimeError(f"the step had {metrics['tokens']} target tokens and a loss of {metrics['loss']} nats")

    seconds = _median_seconds(one_step)
    flops = training_flops(layers, units, vocabulary, batch, source_length, target_length)
    return {"target_tokens_per_s": batch * target_length / seconds, "gflop_per_s": flops / seconds / 1e9}


def training_flops(layers, units, vocabulary, batch, source_length, target_length) -> int:
    """Floating-point operations in the matrix products of one training step; a multiply-add is two.

    Forward, a product f32[m, k] @ f32[k, n] is 2 m k n. Per word of either side and per layer: [x_t ; h_tm1] W with
    W f32[2H, 4H]. Per target word: the dot scores and the context over S positions (2 S H each), [c_t ; h_t] W_c with
    W_c f32[2H, H], and the logits h~_t W with W f32[H, V]. Embeddings are looked up. The gradient takes two products
    as large as each of these, one per operand, so a step is three times the forward pass.
    """
    source, target = batch * source_length, batch * target_length
    lstm = (source + target) * layers * 2 * (2 * units) * (4 * units)
    attention = target * (2 * (2 * source_length * units) + 2 * (2 * units) * units)
    softmax = target * 2 * units * vocabulary
    return 3 * (lstm + attention + softmax)


def beam(layers, units, vocabulary, batch, width, source_length, steps) -> dict:
    """Beam search of a batch, with the encoder and random weights: sentences/s. Hypotheses have `steps` tokens."""
    config = _config(layers, units, vocabulary)
    model, params, source = Seq2Seq(config), _params(config), _words(1, batch, source_length, vocabulary)

    @jax.jit
    def search(params, source):
        memory, carry = model.apply({"params": params}, source, method="start")

        def step(carry, tokens):
            logits, weights, carry = model.apply({"params": params}, memory, carry, tokens, method="step")
            return logits, carry, weights.argmax(-1)

        limits = dict(max_steps=steps, min_length=steps, max_length=steps)
        return beam_search(step, carry, beam=width, pad=PAD, bos=BOS, eos=EOS, **limits)

    def one_search():
        lengths = jax.block_until_ready(search(params, source)).length
        if (np.asarray(lengths) != steps).any():
            raise RuntimeError(f"the search ended before {steps} steps: lengths {np.unique(lengths)}")

    return {"sentences_per_s": batch / _median_seconds(one_search)}


def threshold(layers, units, vocabulary) -> dict:
    """The exact class-blind threshold of normal random weights, then the masks: seconds and GB beyond the weights.

    Each is the first call in the process, as a model is pruned once. The masks compute the threshold again, and their
    GB include the masks.
    """
    generator = np.random.default_rng(0)
    shapes = param_shapes(_config(layers, units, vocabulary))
    params = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape, np.float32)), shapes)
    weights = jax.tree.leaves(jax.block_until_ready(params))
    size = sum(leaf.size for leaf in weights)
    seconds, gigabytes, reset = _first_call(lambda: selection.threshold(weights, round(SPARSITY * size)))
    masks_seconds, masks_gigabytes, _ = _first_call(
        lambda: jax.block_until_ready(pruning.class_blind(params, sparsity=SPARSITY))
    )
    return {
        "weights": size,
        "arrays": len(weights),
        "threshold_s": seconds,
        "threshold_gb": gigabytes,
        "masks_s": masks_seconds,
        "masks_gb": masks_gigabytes,
        "peak_reset": reset,
    }


def gemm(size) -> dict:
    """The machine's rate for a square float32 product, GFLOP/s: the best of ten calls, by XLA and by NumPy's BLAS."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    operands = jnp.asarray(a), jnp.asarray(b)
    product = jax.jit(jnp.dot)
    xla = min(_seconds(lambda: jax.block_until_ready(product(*operands)), 10))
    blas = min(_seconds(lambda: a @ b, 10))
    rates = {"xla_gflop_per_s": 2e-9 * size**3 / xla, "blas_gflop_per_s": 2e-9 * size**3 / blas}
    return rates | {"gflop_per_s": max(rates.values())}


def _config(layers, units, vocabulary):
    return Seq2SeqConfig(vocabulary, vocabulary, layers=layers, units=units, dropout=0.0)


def _params(config):
    return jax.jit(partial(init_params, config))(jax.random.key(0))


def _words(seed, batch, length, vocabulary):
    """Random words without padding, int32[batch, length]."""
    return np.random.default_rng(seed).integers(FIRST_WORD, vocabulary, (batch, length), np.int32)


def _seconds(run: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one that is not timed."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def _median_seconds(run):
    return statistics.median(_seconds(run, REPEATS))


def _first_call(run: Callable[[], object]) -> tuple[float, float, bool]:
    """Seconds of one call; the highest rise of resident memory in it, in GB; whether that rise is exact.

    It is exact if the kernel lets the peak be reset. Otherwise only a rise above the earlier peak is seen.
    """
    reset = reset_peak()
    before = peak_bytes()
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    gigabytes = (peak_bytes() - before) / 1e9
    del result  # held until here, so that it counts
    return seconds, gigabytes, reset


def measure(arguments: list[str]) -> dict:
    """The measurement of one command line of this module."""
    name, *numbers = arguments
    return {"train": train, "beam": beam, "threshold": threshold, "gemm": gemm}[name](*map(int, numbers))


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:])))
