"""Claims of the paper, and the evidence that their rules read: the rows and series of one study."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from experiments.see2016.rows import ONE_SEED, Rows

NO_LOSS = 0.5  # BLEU: "no loss", where one seed gives no noise to measure it by
VERDICTS = {True: "holds", False: "does not hold at this scale", None: "cannot be tested here"}

Found = tuple[str, bool | None]


class NotRun(Exception):
    """Raised by a rule whose rows do not exist yet."""


class Evidence(NamedTuple):
    """The rows of one study, and all series."""

    rows: Rows
    series: dict[str, dict[str, Any]]

    def of(self, experiment: str) -> Rows:
        """The rows of one experiment (`Rows.of_experiment`). Raises: NotRun if there is none."""
        found = self.rows.of_experiment(experiment)
        if not len(found):
            raise NotRun
        return found

    def main(self, experiment: str) -> Rows:
        """The rows of one experiment on the main corpus of the study. Raises: NotRun if there is none."""
        found = self.of(experiment).of(part="main")
        if not len(found):
            raise NotRun
        return found


def together(verdicts: Iterable[bool | None]) -> bool | None:
    """False if any verdict is False; else None if any is None or there are none; else True."""
    verdicts = list(verdicts)
    return False if False in verdicts else None if None in verdicts or not verdicts else True


def needed(value):
    """`value` itself. Raises: NotRun for None or an empty list."""
    if value is None or value == []:
        raise NotRun
    return value


class Claim(NamedTuple):
    """One row of the table of claims. `experiment` yields the rows, and the figure whose name ends in `figure`."""

    where: str
    claim: str
    paper: str
    experiment: str
    rule: Callable[[Evidence], Found]
    figure: str = ""


def judge(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """The row of a claim: the finding (with the seed, if there is only one) and the verdict, or "not run"."""
    try:
        ours, verdict = claim.rule(evidence)
        if claim.experiment in ONE_SEED and len(evidence.rows.seeds) > 1:
            ours += f" (seed {evidence.of(claim.experiment).seeds[0]})"
    except NotRun:
        ours, verdict = "-", "not run"
    shown = verdict if verdict == "not run" else VERDICTS[verdict]
    return {"where": claim.where, "claim": claim.claim, "paper": claim.paper, "here": ours, "verdict": shown}
