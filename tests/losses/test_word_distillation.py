"""Word-level distillation against a numpy softmax, a numpy gradient, and the plain NLL."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import SoftmaxLayer, TopK, cross_entropy, softmax_layer, word_distillation
from seq2slim.losses.word_distillation import taught_distribution

T, B, H, V = 3, 2, 4, 7
RNG = np.random.default_rng(5)
HIDDEN, KERNEL, BIAS = RNG.normal(0, 1.5, (T, B, H)), RNG.normal(0, 1, (H, V)), RNG.normal(0, 1, V)
LABELS, WEIGHTS = RNG.integers(0, V, (T, B)), np.array([[1.0, 1.0], [1.0, 0.0], [0.5, 0.0]])
TEACHERS = [(RNG.normal(0, 1, (T, B, 5)), RNG.normal(0, 1, (5, V)), RNG.normal(0, 1, V)) for _ in range(2)]


def softmax(scores):
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def oracle(alpha, temperature, smoothing, teachers, bias=BIAS):
    """(loss, nll, d hidden, d kernel, d bias), written out in numpy."""
    z = HIDDEN @ KERNEL + (0 if bias is None else bias)
    p, p_t = softmax(z), softmax(z / temperature)
    q = softmax(np.log(np.mean([softmax(h @ w + b) for h, w, b in teachers], axis=0)) / temperature)
    y = (1 - smoothing) * np.eye(V)[LABELS] + smoothing / V
    hard, soft = -(y * np.log(p)).sum(-1), -(q * np.log(p_t)).sum(-1)
    loss = (WEIGHTS * ((1 - alpha) * hard + alpha * temperature**2 * soft)).sum()
    nll = -(WEIGHTS * np.log(np.take_along_axis(p, LABELS[..., None], -1)[..., 0])).sum()
    d_z = WEIGHTS[..., None] * ((1 - alpha) * (p - y) + alpha * temperature * (p_t - q))
    return loss, nll, d_z @ KERNEL.T, np.einsum("tbh,tbv->hv", HIDDEN, d_z), d_z.sum((0, 1))


def run(alpha, temperature, smoothing, teachers, bias=BIAS):
    def loss(hidden, kernel, bias):
        return word_distillation(hidden, kernel, bias, LABELS, WEIGHTS, teachers, alpha, temperature, smoothing)

    with jax.enable_x64(True):
        bias = None if bias is None else jnp.asarray(bias)
        arguments = jnp.asarray(HIDDEN), jnp.asarray(KERNEL), bias
        given = (0, 1) if bias is None else (0, 1, 2)
        plain, (found, gradients) = jax.jit(
            lambda *a: (loss(*a), jax.value_and_grad(loss, argnums=given, has_aux=True)(*a))
        )(*arguments)
    np.testing.assert_allclose(found, plain, rtol=1e-12)  # with and without gradient
    return *found, *gradients


def layers(teachers):
    return tuple(SoftmaxLayer(*map(np.asarray, teacher)) for teacher in teachers)


@pytest.mark.parametrize(
    ("alpha", "temperature", "smoothing", "count"), [(0.5, 1.0, 0.0, 1), (0.9, 2.0, 0.1, 2), (1.0, 0.5, 0.0, 1)]
)
def test_values_and_gradients_are_those_of_a_numpy_softmax(alpha, temperature, smoothing, count):
    found = run(alpha, temperature, smoothing, layers(TEACHERS[:count]))
    for ours, expected in zip(found, oracle(alpha, temperature, smoothing, TEACHERS[:count]), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)


def test_gradient_is_the_slope_of_the_loss():
    alpha, temperature = 0.7, 1.5
    _, _, _, d_kernel, _ = run(alpha, temperature, 0.1, layers(TEACHERS[:1]))
    moved, step = RNG.normal(size=(H, V)), 1e-6

    @jax.jit
    def total(kernel):
        arguments = HIDDEN, kernel, BIAS, LABELS, WEIGHTS, layers(TEACHERS[:1])
        return word_distillation(*arguments, alpha, temperature, 0.1)[0]

    def loss(kernel):
        with jax.enable_x64(True):
            return float(total(jnp.asarray(kernel)))

    slope = (loss(KERNEL + step * moved) - loss(KERNEL - step * moved)) / (2 * step)
    np.testing.assert_allclose((np.asarray(d_kernel) * moved).sum(), slope, rtol=1e-7)


def test_without_bias_and_in_parts(monkeypatch):
    expected = oracle(0.5, 1.0, 0.0, TEACHERS[:1], bias=None)[:4]
    monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", B * V * 4)  # one step at a time
    assert len(softmax_layer.parts(HIDDEN, KERNEL)) == T
    for ours, theirs in zip(run(0.5, 1.0, 0.0, layers(TEACHERS[:1]), bias=None), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_alpha_0_is_the_nll(smoothing):
    def both(loss, *options):
        def of(hidden, kernel, bias):
            return loss(hidden, kernel, bias, LABELS, np.float32(WEIGHTS), *options)

        run = jax.jit(jax.value_and_grad(of, argnums=(0, 1, 2), has_aux=True))
        return run(*map(np.float32, (HIDDEN, KERNEL, BIAS)))

    found = both(word_distillation, layers(TEACHERS[:1]), 0.0, 1.0, smoothing)
    expected = both(cross_entropy, smoothing)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), found, expected)


class TestTopK:
    LOG_P = np.log(softmax(RNG.normal(0, 1, (T, B, V))))

    def stored(self, k):
        words = np.argsort(-self.LOG_P, axis=-1)[..., :k].astype(np.int32)
        return TopK(words, np.take_along_axis(self.LOG_P, words, -1).astype(np.float32))

    @pytest.mark.parametrize("temperature", [1.0, 2.0])
    def test_the_rule(self, temperature):
        found = np.asarray(taught_distribution([self.stored(3)], V, temperature)).reshape(T, B, V)
        for t in range(T):
            for b in range(B):
                best = sorted(range(V), key=lambda v, t=t, b=b: -self.LOG_P[t, b, v])[:3]
                mass = {v: np.exp(self.LOG_P[t, b, v]) ** (1 / temperature) for v in best}
                expected = [mass.get(v, 0.0) / sum(mass.values()) for v in range(V)]
                np.testing.assert_allclose(found[t, b], expected, rtol=1e-5)

    @pytest.mark.parametrize("temperature", [1.0, 3.0])
    def test_with_the_whole_vocabulary_it_is_the_teacher(self, temperature):
        log_z = self.LOG_P + RNG.normal(0, 5, (T, B, 1))  # logits of the same distribution
        online = SoftmaxLayer(np.float32(log_z), np.eye(V, dtype=np.float32), None)
        arguments = *map(np.float32, (HIDDEN, KERNEL, BIAS)), LABELS, np.float32(WEIGHTS)
        one, other = (
            word_distillation(*arguments, (teacher,), 0.5, temperature) for teacher in (online, self.stored(V))
        )
        np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_an_ensemble_and_what_is_stored_of_it_teach_alike(self):
        layered = layers(TEACHERS)
        mean = np.mean([softmax(h @ w + b) for h, w, b in TEACHERS], axis=0)
        words = np.broadcast_to(np.arange(V, dtype=np.int32), mean.shape)
        for temperature in (1.0, 2.0):
            stored = taught_distribution([TopK(words, np.float32(np.log(mean)))], V, temperature)
            online = taught_distribution([SoftmaxLayer(*map(np.float32, layer)) for layer in layered], V, temperature)
            np.testing.assert_allclose(stored, online, rtol=1e-4)


@pytest.mark.parametrize(
    ("teachers", "temperature", "complaint"), [([], 1.0, "needs a teacher"), (TEACHERS[:1], 0.0, "above 0")]
)
def test_no_teacher_and_no_temperature_are_refused(teachers, temperature, complaint):
    with pytest.raises(ValueError, match=complaint):
        run(0.5, temperature, 0.0, layers(teachers))
