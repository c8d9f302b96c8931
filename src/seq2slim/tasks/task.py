"""The interface of a task, with the defaults of a task on parallel text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

import jax

from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig, train_vocabularies
from seq2slim.decoding.constraints import Constraint
from seq2slim.errors import UserError, nearest
from seq2slim.evaluation.bootstrap import PairedBootstrap, compare_systems
from seq2slim.evaluation.translate import hypothesis_text
from seq2slim.models import ModelOptions, param_shapes

VALID = "valid_"  # before the name of a score, in the metrics of a validation
VALID_LOSS = "valid_loss"


class Scores(NamedTuple):
    """The scores of one system on one test set.

    values: name -> score: the main score first; all that are in `Task.metrics`, and others that explain them.
    signature: what makes the scores comparable, such as versions and tokenizer; "" if nothing but the text does.
    """

    values: Mapping[str, float]
    signature: str = ""


class Task:
    """What is learnt and how it is scored. A task is a subclass with one instance in `tasks.TASKS`.

    A subclass gives the three attributes without a default and `scores`; it overrides what else differs. The name
    enters the identity of a `Text`, the code does not: a task whose texts or scores change takes another name.

    Attributes:
      name: key in `TASKS`.
      metrics: name of a score -> whether higher is better; the first is the main one. Each can choose the best
        validation (`--training.metric valid_NAME`).
      digits: name of a score -> decimals in a row; 4 by default.
      labels: name of a score -> what people call it; the name by default.
    """

    name: ClassVar[str]
    metrics: ClassVar[Mapping[str, bool]]
    digits: ClassVar[Mapping[str, int]] = {}
    labels: ClassVar[Mapping[str, str]] = {}

    # Text to pairs

    def source(self, line: str) -> str:
        """A line as typed by a user, or read from a corpus -> what the model reads. source(source(x)) = source(x)."""
        return line

    def pair(self, source: str, target: str, line: int, split: str) -> tuple[str, str]:
        """One pair of lines of a corpus -> what the model reads and what it is to write, both without a line end.

        Args: line: number in its split, from 0; also a seed, for pairs that are drawn. split: train, valid or test.
        """
        return self.source(source), target

    def pairs(self, sources: Iterable[str], targets: Iterable[str], split: str) -> Iterator[tuple[str, str]]:
        """All pairs of a split, from all of its lines; a pair is known by its number in this order."""
        for line, (source, target) in enumerate(zip(sources, targets, strict=True)):
            yield self.pair(source, target, line, split)

    @property
    def rewrites(self) -> bool:
        """Whether pairs differ from the lines of the corpus; if not, these are read where they are."""
        return any(getattr(type(self), name) is not getattr(Task, name) for name in ("source", "pair", "pairs"))

    def vocabularies(
        self, sources: Iterable[str], targets: Iterable[str], config: VocabularyConfig, report: Callable[[str], None]
    ) -> tuple[Vocabulary, Vocabulary]:
        """The vocabularies of source and target, from the training pairs; arguments as in `train_vocabularies`."""
        return train_vocabularies(sources, targets, config, report)

    # Search

    def constraint(self, source: Vocabulary, target: Vocabulary) -> Constraint | None:
        """What constrains the next token, or None. Made once per model: another object is compiled again."""
        return None

    # One hypothesis as the line of text that is shown and scored; a subclass gives a method with these arguments.
    text = staticmethod(hypothesis_text)

    # Scores

    def check(self, tokenize: str):
        """Raises: UserError if the scores have no such tokenizer. A task without tokenizers ignores it."""

    def scores(self, hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> Scores:
        """The scores of a system.

        Args:
          hypotheses, references: lines in the same order, as `text` and `pair` made them.
          tokenize: the tokenizer of the scores, if they have any.
        Raises: UserError if the line counts differ or are 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores()")

    def compare(
        self, baseline: Sequence[str], system: Sequence[str], references: Sequence[str], samples: int, tokenize: str
    ) -> PairedBootstrap:
        """Paired bootstrap of two systems by the main score.

        Args: baseline, system: hypotheses of each. samples: resamples of the test set. Others as in `scores`.
        """

        def score(hypotheses, references):
            return self.scores(hypotheses, references, tokenize).values[self.main]

        found = compare_systems(score, baseline, system, references, samples)
        own = self.scores(system, references, tokenize).signature
        return found._replace(signature=f"{own}|{found.signature}" if own else found.signature)

    @property
    def main(self) -> str:
        """Name of the main score. Raises: UserError if the task has none."""
        if not self.metrics:
            raise UserError(f"the task {self.name} has no score: its models have a perplexity alone")
        return next(iter(self.metrics))

    def label(self, score: str) -> str:
        """What people call a score."""
        return self.labels.get(score, score.replace("_", " "))

    def rounded(self, score: str, value: float) -> float:
        """The value of a score as it stands in a row."""
        return round(value, self.digits.get(score, 4))

    def columns(self, search: str, found: Scores) -> dict[str, float | str]:
        """The columns of a row: `{search}_{name}` of each score, and `signature` if there is one."""
        row = {f"{search}_{name}": self.rounded(name, value) for name, value in found.values.items()}
        return row | ({"signature": found.signature} if found.signature else {})

    def higher_is_better(self, metric: str) -> bool:
        """Whether a higher value of a validation is better, for `valid_loss` and `valid_` before a name in `metrics`.

        Raises: UserError naming the nearest one.
        """
        known = {VALID_LOSS: False} | {VALID + name: higher for name, higher in self.metrics.items()}
        if metric not in known:
            raise UserError(f"metric: got {metric!r}; {nearest(metric, known)}")
        return known[metric]

    # Costs

    def weights_per_token(self, model: ModelOptions, words: int) -> tuple[int, int]:
        """Weights that multiply each source token, and each target token. words: size of each vocabulary."""
        shapes = param_shapes(model.build(words, words))
        parts = {name: sum(leaf.size for leaf in jax.tree.leaves(own)) for name, own in shapes.items()}
        return parts["encoder"], sum(parts.get(name, 0) for name in ("decoder", "attention", "softmax"))
