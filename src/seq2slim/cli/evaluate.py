"""`evaluate`: perplexity and scores of a model on a test set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2slim.cli.models import chosen, learn_dictionary
from seq2slim.cli.options import parse
from seq2slim.data.batching import BatchConfig
from seq2slim.data.corpora import read_lines
from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.errors import UserError
from seq2slim.evaluation.perplexity import model_perplexity
from seq2slim.inference.translator import Replacement
from seq2slim.stages.evaluate import sizes

DESCRIPTION = """Perplexity and scores (BLEU of a translation, greedy and beam) of a model on a test set.

    python -m seq2slim evaluate --run runs/retrain-... --test test.en test.de

Both files have one sentence per line, UTF-8, detokenised (or both tokenised, with --tokenize none)."""


@dataclass(frozen=True)
class Options:
    """Options of evaluate.

    Attributes:
      test: source file and reference file.
      run: run directory of a trained, pruned or retrained model.
      model: a sparse model file, made by export, instead of --run.
      tokenize: sacreBLEU's tokenizer; "none" for a tokenised test set.
      beam: of the second search; by default that of the recipe with the most similar model.
      replace_unknown: replace <unk> by the attended source word (copy) or by its translation in the model's dictionary
        (dictionary), or keep it (no); by default as in the recipe.
    """

    test: tuple[Path, Path]
    run: Path | None = None
    model: Path | None = None
    tokenize: str = "13a"
    beam: int | None = None
    replace_unknown: Replacement | None = None


def run(arguments: Sequence[str]):
    """Prints sizes, perplexity and scores."""
    (options,) = parse("evaluate", DESCRIPTION, arguments, Options)
    sources, references = (list(read_lines(path)) for path in options.test)
    if len(sources) != len(references):
        raise UserError(
            f"{options.test[0]} has {len(sources)} lines and {options.test[1]} has {len(references)}: "
            "they must be parallel, line by line"
        )
    model = chosen("evaluate", options.run, options.model)
    task = model.task
    task.check(options.tokenize)
    pairs = list(task.pairs(sources, references, "test"))
    sources, references = ([pair[side] for pair in pairs] for side in (0, 1))
    if options.replace_unknown == "dictionary":
        learn_dictionary(model)
    search = model.configured(options.beam)
    split = TokenisedSplit.of(
        model.source_vocabulary.encode_many(sources), model.target_vocabulary.encode_many(references)
    )
    batches = BatchConfig(search.batch_size, model.model.reverse_source)
    found = model_perplexity(model.model.config, model.model.params, split, batches)
    size = sizes(model.model)
    _show("weights", f"{size['weights']:,}, {size['non_zero']:,} of them not 0.0; sparsity {size['sparsity']:.1%}")
    _show("sentences", f"{len(sources):,}")
    _show("perplexity", f"{found.perplexity:.2f} of {found.tokens:,} target tokens, ends of sentences counted")
    for name, beam in (("greedy", 1), (f"beam {search.beam}", search.beam)):
        lines = model.translate(sources, beam=beam, replace_unknown=options.replace_unknown)
        found = task.scores(lines, references, options.tokenize)
        for score in task.metrics:
            _show(f"{task.label(score)} {name}", f"{found.values[score]:.2f}")
    if found.signature:
        _show("signature", found.signature)


def _show(name: str, value: str):
    print(f"{name:12} {value}", flush=True)
