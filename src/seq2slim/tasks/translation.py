"""Translation: one line of a language for each line of another, scored by BLEU."""

from collections.abc import Sequence

from seq2slim.evaluation.bleu import bleu, check_tokenizer, paired_bootstrap
from seq2slim.evaluation.bootstrap import PairedBootstrap
from seq2slim.tasks.task import Scores, Task


class Translation(Task):
    """BLEU as sacreBLEU computes it; `length_ratio` is system tokens / reference tokens."""

    name = "translation"
    metrics = {"bleu": True}
    digits = {"bleu": 2, "length_ratio": 3}
    labels = {"bleu": "BLEU"}

    def check(self, tokenize: str):
        """Raises: UserError if sacreBLEU has no such tokenizer, RuntimeError if its package is not installed."""
        check_tokenizer(tokenize)

    def scores(self, hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> Scores:
        found = bleu(hypotheses, references, tokenize=tokenize)
        return Scores({"bleu": found.score, "length_ratio": found.length_ratio}, found.signature)

    def compare(
        self, baseline: Sequence[str], system: Sequence[str], references: Sequence[str], samples: int, tokenize: str
    ) -> PairedBootstrap:
        return paired_bootstrap(baseline, system, references, samples=samples, tokenize=tokenize)
