"""A word dictionary from the attention of a model over its training set, for unknown-word replacement.

Luong, Sutskever et al. 2015 use an aligner. Here, as in the code of Luong et al. 2015, a target word is aligned to the
source word that the model attends to most when it emits that word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.data.batching import Batch, BatchConfig, evaluation_batches
from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.inference.model_files import Model
from seq2slim.inference.text_files import tokenised
from seq2slim.models import Seq2Seq
from seq2slim.runs.records import text_dir
from seq2slim.special_ids import EOS, PAD, UNK

FILE = "dictionary.tsv"
LEAST = 10  # pairs with fewer alignments are ignored (the code of Luong et al. 2015)
_HEADER = "source\ttarget\tcount\tprobability"
_MOST_BYTES = 2**28


@partial(jax.jit, static_argnums=0)
def attended(module: Seq2Seq, params, source, target_in):
    """The padded source position with the most attention at each step of a given target: int32[B, T].

    Args: source: int32[B, S]. target_in: int32[B, T]; step t reads its word t and emits word t of target_out.
    """
    memory, carry = module.apply({"params": params}, source, method="start")

    def step(carry, tokens):
        _, weights, carry = module.apply({"params": params}, memory, carry, tokens, method="step")
        return carry, weights.argmax(-1).astype(jnp.int32)

    return jax.lax.scan(step, carry, target_in.T)[1].T


def aligned_pairs(batch: Batch, positions: np.ndarray) -> np.ndarray:
    """int64[n, 2]: (source id, target id) of the aligned words of a batch; unknown words are left out."""
    source = np.take_along_axis(np.asarray(batch.source), np.asarray(positions), axis=1)
    target = np.asarray(batch.target_out)
    known = ~np.isin(target, (PAD, UNK, EOS)) & ~np.isin(source, (PAD, UNK))
    return np.stack([source[known], target[known]], axis=1).astype(np.int64)


def count_pairs(pairs: Iterable[np.ndarray], vocabulary: int, together: int = 1 << 20) -> tuple[np.ndarray, np.ndarray]:
    """Counts of pairs: (int64[n, 2] distinct pairs, ascending; int64[n] how often each occurs).

    Args: pairs: int64[m, 2] each. vocabulary: size of the target vocabulary. together: pairs sorted at once.
    """
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for chunk in _gathered(pairs, together):
        new, of_new = np.unique(chunk[:, 0] * vocabulary + chunk[:, 1], return_counts=True)
        merged, place = np.unique(np.concatenate([keys, new]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, of_new]), len(merged)).astype(np.int64)
        keys = merged
    return np.stack(np.divmod(keys, vocabulary), axis=1), counts


def most_probable(pairs: np.ndarray, counts: np.ndarray, least: int = LEAST) -> list[tuple[int, int, int, float]]:
    """(source id, target id, count, p(target | source)) of the likeliest target of each source word.

    p is count / all alignments of the source word. Pairs with fewer than `least` are left out; of two equal counts the
    lower target id wins.
    """
    totals = np.bincount(pairs[:, 0], counts) if len(pairs) else np.zeros(0)
    best: dict[int, tuple[int, int]] = {}
    enough = counts >= least  # few pairs; the rest, as Python objects, would fill the memory
    for (source, target), count in zip(pairs[enough].tolist(), counts[enough].tolist()):
        if count > best.get(source, (0, 0))[1]:
            best[source] = target, count
    return [(source, target, count, count / totals[source]) for source, (target, count) in sorted(best.items())]


def learn_dictionary(
    model: Model, split: TokenisedSplit, batch_size: int = 64, progress: Callable[[int, int], None] = lambda *_: None
) -> list[tuple[int, int, int, float]]:
    """`most_probable` of a training set as aligned by the attention; calls `progress(pairs done, all)` per batch.

    Raises: UserError for a model without attention.
    """
    if model.config.attention == "none":
        raise UserError("a model without attention aligns no words, so it has no dictionary")

    def pairs() -> Iterator[np.ndarray]:
        done = 0
        for batch in evaluation_batches(split, BatchConfig(batch_size, model.reverse_source)):
            yield aligned_pairs(batch, attended(model.module, model.params, batch.source, batch.target_in))
            done += int((batch.ids >= 0).sum())
            progress(done, len(split))

    return most_probable(*count_pairs(pairs(), model.config.target_vocabulary))


def dictionary_of(
    run_dir: Path,
    model: Model,
    source: Vocabulary,
    target: Vocabulary,
    report: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Mapping[str, str]:
    """The dictionary of the model in `run_dir`: read from its dictionary.tsv, or learnt if that is missing or damaged.

    Raises: UserError if the training set is not beside the run.
    """
    path = run_dir / FILE
    if path.is_file():
        try:
            return _read(path)
        except ValueError as error:
            report(f"{path} is damaged ({error}): it is learnt again")
    if (text := text_dir(run_dir)) is None:
        raise UserError(
            f"the dictionary of {run_dir} is learnt from its training set, which is not beside it; "
            "'copy' needs no dictionary"
        )
    report(f"learning the dictionary of {run_dir.name} from the attention over its training set")
    found = learn_dictionary(model, tokenised(text)["train"], progress=progress)
    lines = [(source.token(s), target.token(t), str(count), f"{p:.4f}") for s, t, count, p in found]
    text = "".join("\t".join(line) + "\n" for line in lines)
    try:
        write_atomically(path, f"{_HEADER}\n{text}")
        report(f"{len(lines):,} words in {path}")
    except OSError as error:
        report(f"the dictionary of {len(lines):,} words is not kept: {error}")
    return {line[0]: line[1] for line in lines}


def _read(path: Path) -> dict[str, str]:
    if path.stat().st_size > _MOST_BYTES:
        raise UserError(f"it has more than {_MOST_BYTES:,} bytes")
    header, *lines = path.read_text(encoding="utf-8").split("\n")
    if header != _HEADER or lines[-1:] != [""]:
        raise UserError("its header is wrong, or its last line is incomplete")
    cells = [line.split("\t") for line in lines[:-1]]
    if odd := next((number for number, line in enumerate(cells, start=2) if len(line) != 4), None):
        raise UserError(f"line {odd} does not have 4 columns")
    return {line[0]: line[1] for line in cells}


def _gathered(chunks: Iterable[np.ndarray], least: int) -> Iterator[np.ndarray]:
    """The rows of `chunks` in arrays of at least `least` rows, the last one shorter."""
    held, size = [], 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= least:
            yield np.concatenate(held)
            held, size = [], 0
    if size:
        yield np.concatenate(held)
