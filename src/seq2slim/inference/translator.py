"""A trained model that translates text: `load(run).translate(sentences)`, or a stream of sentences."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from seq2slim.data.batching import BatchConfig, evaluation_batches
from seq2slim.data.tokenised import LONGEST, TokenisedSplit
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError, nearest
from seq2slim.evaluation.translate import UnknownWords, search_lines
from seq2slim.inference.dictionary import dictionary_of
from seq2slim.inference.export import load_model_file
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.inference.text_files import vocabularies
from seq2slim.recipes import closest_recipe
from seq2slim.tasks import Task, task_named

Replacement = Literal["copy", "dictionary", "no"]  # of <unk>
REPLACEMENTS = get_args(Replacement)
WINDOW = 4000  # lines read ahead and sorted by length
_WINDOW_CHARACTERS = 2**22  # most characters per window (or one line), which bounds the memory
_STEP = 8  # tokens between padded widths: each width is one compilation, and padding is cheap here
_SPACES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters and line separators
_SURROGATES = re.compile("[\ud800-\udfff]")  # not valid text, but possible in Python strings


class Hypothesis(NamedTuple):
    """One translation.

    Attributes:
      text: the sentence.
      score: what the ranking used: log_prob / length penalty.
      log_prob: nats, summed over all tokens and EOS.
    """

    text: str
    score: float
    log_prob: float


BLANK = Hypothesis("", 0.0, 0.0)  # the translation of a blank line
NONE = Hypothesis("", -np.inf, -np.inf)  # where the search found no further hypothesis


def load(run: str | Path, report: Callable[[str], None] = print) -> "Translator":
    """The model of a run directory (of train, prune or retrain), or of a sparse model file, ready to translate.

    It searches as the recipe with the most similar model. `report` is called with what is damaged.
    Raises: UserError if there is no model, or it is damaged; OSError if it cannot be read.
    """
    run_dir = Path(run)
    if run_dir.is_file():
        whole = load_model_file(run_dir)
        return Translator(*whole, closest_recipe(whole.model.config).search)
    model = load_model(run_dir, report)
    return Translator(model, *vocabularies(run_dir), closest_recipe(model.config).search, run_dir)


@dataclasses.dataclass(frozen=True, eq=False)
class Translator:
    """A model with its vocabularies and search options.

    Attributes:
      model: configuration, parameters, masks.
      source_vocabulary, target_vocabulary: text to ids and back.
      search: options for calls that give none.
      run_dir: run directory, where the dictionary is stored; None for a model file, which has no dictionary.
    """

    model: Model
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    search: SearchConfig = SearchConfig()
    run_dir: Path | None = None
    _learnt: dict[str, Mapping[str, str]] = dataclasses.field(default_factory=dict, init=False, repr=False)

    @property
    def task(self) -> Task:
        """What the model has learnt: how text is read, what constrains the search, how outputs are scored."""
        return task_named(self.model.task)

    @functools.cached_property
    def _constraint(self) -> Constraint | None:
        return self.task.constraint(self.source_vocabulary, self.target_vocabulary)

    def translate(
        self,
        sentences: Sequence[str],
        *,
        beam: int | None = None,
        n_best: int | None = None,
        replace_unknown: Replacement | None = None,
        **search,
    ) -> list[str] | list[list[Hypothesis]]:
        """Translations, in the order of the sentences. The translation of a blank sentence is "".

        Args:
          sentences: any strings. Control characters and line separators count as spaces; at most 1,000 tokens are read.
          beam: hypotheses per sentence; 1 is greedy. None: as in `self.search`, but at least `n_best`.
          n_best: return that many hypotheses per sentence, with scores.
          replace_unknown: for <unk>, the source word attended to ("copy"), its translation by the model's own
            dictionary ("dictionary", see `inference.dictionary`), or leave it ("no"). None: as in `self.search`.
          search: more fields of `SearchConfig`: length_penalty, limits, batch_size.
        Returns: one str per sentence; with `n_best` a list of exactly that many `Hypothesis` per sentence, best first
          (text "" and score -inf if the search found fewer).
        Raises: UserError if n_best is more than beam, or replace_unknown is unknown.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences is one string; give a list of strings")
        found = self.stream(sentences, self.configured(beam, n_best, **search), replace_unknown, n_best or 1)
        return list(found) if n_best else [hypotheses[0].text for hypotheses in found]

    def configured(self, beam: int | None = None, n_best: int | None = None, **search) -> SearchConfig:
        """`self.search` with the given options changed; if no beam is given, it is at least `n_best`.

        Raises: UserError if n_best is below 1 or more than beam.
        """
        if n_best is not None and n_best < 1:
            raise UserError(f"n_best must be at least 1, got {n_best}")
        if beam is not None and (n_best or 1) > beam:
            raise UserError(f"n_best={n_best} hypotheses need a beam of at least as many, got beam={beam}")
        changes = {name: value for name, value in search.items() if value is not None}
        return dataclasses.replace(self.search, beam=beam or max(self.search.beam, n_best or 1), **changes)

    def stream(
        self,
        sentences: Iterable[str],
        search: SearchConfig | None = None,
        replace_unknown: Replacement | None = None,
        n_best: int = 1,
        *,
        window: int = WINDOW,
        report: Callable[[int, str], None] = lambda number, what: None,
    ) -> Iterator[list[Hypothesis]]:
        """The `n_best` best hypotheses of each sentence in order, in bounded memory however many there are.

        Sentences are read ahead in windows, in which those of about the same length are searched together. A sentence
        alone decides the shape that it is padded to, so neighbours change nothing.

        Args:
          search: as from `configured`. window: most sentences read ahead.
          report: called with the number of a sentence, from 1, that was cut, and how.
        Raises: UserError, at the first item, if replace_unknown is unknown.
        """
        search = search or self.search
        _check_replacement(replace_unknown)
        how = replace_unknown or ("copy" if search.replace_unknown else "no")
        dictionary = self.dictionary() if how == "dictionary" else None
        for first, lines in _windows(sentences, window):
            lines = [self.task.source(_SURROGATES.sub("\ufffd", _SPACES.sub(" ", line))) for line in lines]
            unknown = None
            if how != "no":
                unknown = UnknownWords(lines, self.source_vocabulary, self.model.reverse_source, dictionary)
            encoded = self.source_vocabulary.encode_many(lines)
            for row, ids in enumerate(encoded):
                if len(ids) > LONGEST:
                    report(first + row, f"cut after {LONGEST:,} of {len(ids):,} tokens")
            yield from self._window(encoded, search, unknown, n_best, first)

    def dictionary(
        self,
        report: Callable[[str], None] = lambda line: None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Mapping[str, str]:
        """Source word -> its most probable translation; learnt from the training set at the first call, then kept.

        Args: report: called with what is done. progress: called with training pairs done, and all.
        Raises: UserError without a run directory, or if the training set is missing beside it.
        """
        if self.run_dir is None:
            raise UserError("a model outside its run directory has no dictionary; replace_unknown can be 'copy'")
        if "dictionary" not in self._learnt:
            self._learnt["dictionary"] = dictionary_of(
                self.run_dir, self.model, self.source_vocabulary, self.target_vocabulary, report, progress
            )
        return self._learnt["dictionary"]

    def _window(self, encoded, search: SearchConfig, unknown: UnknownWords | None, n_best: int, first: int):
        split = TokenisedSplit.of(encoded)
        rows = np.flatnonzero(split.source.lengths)
        found = [[BLANK] * n_best for _ in encoded]
        batches = evaluation_batches(
            split, BatchConfig(search.batch_size, self.model.reverse_source), targets=False, rows=rows, step=_STEP
        )
        for line, source, result in search_lines(make_search(self.model, search, constraint=self._constraint), batches):
            if not result.length[0]:
                raise UserError(
                    f"no hypothesis for line {first + line}: every score was NaN or -inf; are the parameters finite?"
                )
            for rank in range(n_best):
                found[line][rank] = NONE
                if result.length[rank]:
                    text = self.task.text(result, rank, line, source, self.target_vocabulary, unknown)
                    found[line][rank] = Hypothesis(text, float(result.score[rank]), float(result.log_prob[rank]))
        return found


def _check_replacement(how):
    if how is not None and how not in REPLACEMENTS:
        raise UserError(f"replace_unknown: got {how!r}; {nearest(str(how), ('None', *REPLACEMENTS))}")


def _windows(sentences: Iterable[str], most: int) -> Iterator[tuple[int, list[str]]]:
    """(number of the first sentence, from 1; sentences), in order."""
    lines, characters, first = [], 0, 1
    for line in sentences:
        lines.append(line)
        characters += len(line)
        if len(lines) == most or characters >= _WINDOW_CHARACTERS:
            yield first, lines
            lines, characters, first = [], 0, first + len(lines)
    if lines:
        yield first, lines
