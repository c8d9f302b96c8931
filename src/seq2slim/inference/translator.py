"""A trained model that translates text: `load(run).translate(sentences)`, and the same as a stream."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from seq2slim.data.batching import BatchConfig, evaluation_batches
from seq2slim.data.tokenised import LONGEST, TokenisedSplit
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.evaluation.translate import UnknownWords, hypothesis_text, search_lines
from seq2slim.inference.dictionary import dictionary_of
from seq2slim.inference.export import load_model_file
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.inference.text_files import vocabularies
from seq2slim.recipes import closest_recipe

REPLACEMENTS = ("copy", "dictionary", "no")  # of <unk>
WINDOW = 4000  # lines read ahead, to be sorted by length
_WINDOW_CHARACTERS = 2**22  # and at most so many characters (or one line): bounds the memory whatever the lines are
_STEP = 8  # between the widths that sentences are padded to: each is one compilation, and padding costs little here
_SPACES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters and line separators
_SURROGATES = re.compile("[\ud800-\udfff]")  # no Unicode text; Python strings may hold them


class Hypothesis(NamedTuple):
    """One translation.

    Attributes:
      text: the sentence.
      score: what the ranking went by: log_prob / length penalty.
      log_prob: nats, of all tokens with EOS.
    """

    text: str
    score: float
    log_prob: float


BLANK = Hypothesis("", 0.0, 0.0)  # the translation of a blank line
NONE = Hypothesis("", -np.inf, -np.inf)  # in place of one that the search did not find


def load(run: str | Path, report: Callable[[str], None] = print) -> "Translator":
    """The model of a run's folder (of train, prune or retrain), or of a sparse model file, ready to translate.

    It searches as the recipe whose model is most like it. `report` is told what is damaged.
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
    """A model and what it needs to read and write text.

    Attributes:
      model: configuration, parameters, masks.
      source_vocabulary, target_vocabulary: text to ids and back.
      search: how it searches where a call does not say.
      run_dir: of the run, where its dictionary is kept; None for a model from elsewhere, which has none.
    """

    model: Model
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    search: SearchConfig = SearchConfig()
    run_dir: Path | None = None
    _learnt: dict[str, Mapping[str, str]] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def translate(
        self,
        sentences: Sequence[str],
        *,
        beam: int | None = None,
        n_best: int | None = None,
        replace_unknown: Literal["copy", "dictionary", "no"] | None = None,
        **search,
    ) -> list[str] | list[list[Hypothesis]]:
        """Translations, in the order of the sentences. A blank sentence has the translation "".

        Args:
          sentences: any strings. Control characters and line separators count as spaces; what comes after 1,000 tokens
            is not read.
          beam: hypotheses kept a sentence; 1 is greedy. None: as in `self.search`, but at least `n_best`.
          n_best: return the so many best, with scores.
          replace_unknown: for <unk>, the source word attended to ("copy"), its translation by the model's own
            dictionary ("dictionary", see `inference.dictionary`), or leave it ("no"). None: as in `self.search`.
          search: more fields of `SearchConfig`: length_penalty, limits, batch_size.
        Returns: a str a sentence; with `n_best` a list of exactly so many `Hypothesis` a sentence, best first (text ""
          and score -inf where the search found fewer).
        Raises: UserError if n_best is more than beam, or replace_unknown is none of these.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences is one string; give a list of strings")
        found = self.stream(sentences, self.configured(beam, n_best, **search), replace_unknown, n_best or 1)
        return list(found) if n_best else [hypotheses[0].text for hypotheses in found]

    def configured(self, beam: int | None = None, n_best: int | None = None, **search) -> SearchConfig:
        """`self.search` with what is not None changed; the beam holds at least `n_best`, if it is not given.

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
        replace_unknown: Literal["copy", "dictionary", "no"] | None = None,
        n_best: int = 1,
        *,
        window: int = WINDOW,
        report: Callable[[int, str], None] = lambda number, what: None,
    ) -> Iterator[list[Hypothesis]]:
        """The `n_best` best hypotheses of each sentence in order, in bounded memory however many there are.

        Sentences are read ahead in windows, inside which those of about the same length are searched together. The
        batch a sentence stands in has a shape that depends on the sentence alone, so neighbours change nothing.

        Args:
          search: as from `configured`. window: most sentences read ahead.
          report: called with the number of a sentence, from 1, and what was done to it: that it was cut.
        Raises: UserError, when the first is asked for, if replace_unknown is none of those of `translate`.
        """
        search = search or self.search
        _check_replacement(replace_unknown)
        how = replace_unknown or ("copy" if search.replace_unknown else "no")
        dictionary = self.dictionary() if how == "dictionary" else None
        for first, lines in _windows(sentences, window):
            lines = [_SURROGATES.sub("\ufffd", _SPACES.sub(" ", line)) for line in lines]
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
        """Source word -> its most probable translation, learnt from the training set when first asked for, then held.

        Args: report: told what is done. progress: called with training pairs done, and all, as they are read.
        Raises: UserError without a run directory, or if the training set is not beside it.
        """
        if self.run_dir is None:
            raise UserError("a model that is not in its run's folder has no dictionary; replace_unknown can be 'copy'")
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
        for line, source, result in search_lines(make_search(self.model, search), batches):
            if not result.length[0]:
                raise UserError(
                    f"no hypothesis for line {first + line}: every score was NaN or -inf; are the parameters finite?"
                )
            for rank in range(n_best):
                found[line][rank] = NONE
                if result.length[rank]:
                    text = hypothesis_text(result, rank, line, source, self.target_vocabulary, unknown)
                    found[line][rank] = Hypothesis(text, float(result.score[rank]), float(result.log_prob[rank]))
        return found


def _check_replacement(how):
    if how is not None and how not in REPLACEMENTS:
        close = difflib.get_close_matches(str(how), REPLACEMENTS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UserError(f"replace_unknown must be None or one of {', '.join(REPLACEMENTS)}, got {how!r}{hint}")


def _windows(sentences: Iterable[str], most: int) -> Iterator[tuple[int, list[str]]]:
    """(number of the first, from 1, sentences), in order."""
    lines, characters, first = [], 0, 1
    for line in sentences:
        lines.append(line)
        characters += len(line)
        if len(lines) == most or characters >= _WINDOW_CHARACTERS:
            yield first, lines
            lines, characters, first = [], 0, first + len(lines)
    if lines:
        yield first, lines
