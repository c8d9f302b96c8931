"""What a claim is, and the rows and series of one study as the rules of claims ask for them."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from experiments.see2016.rows import ONE_SEED, Rows

NO_LOSS = 0.5  # BLEU: "no loss", where one seed gives no noise to measure it by
VERDICTS = {True: "holds", False: "does not hold at this scale", None: "cannot be tested here"}

Found = tuple[str, bool | None]


class NotRun(Exception):
    """A rule asks for a row that is not there yet."""


class Evidence(NamedTuple):
    """What one study has: its rows, and the series of all."""

    rows: Rows
    series: dict[str, dict[str, Any]]

    def of(self, experiment: str) -> Rows:
        """The rows of one experiment (`Rows.of_experiment`). Raises: NotRun if there is none."""
        found = self.rows.of_experiment(experiment)
        if not len(found):
            raise NotRun
        return found

    def main(self, experiment: str) -> Rows:
        """Those on the corpus of the study, not on a second one. Raises: NotRun if there is none."""
        found = self.of(experiment).of(part="main")
        if not len(found):
            raise NotRun
        return found


def together(verdicts: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is or there is none, else True."""
    verdicts = list(verdicts)
    return False if False in verdicts else None if None in verdicts or not verdicts else True


def needed(value):
    """`value`, which a rule cannot do without. Raises: NotRun for None or an empty list."""
    if value is None or value == []:
        raise NotRun
    return value


class Claim(NamedTuple):
    """One row of the table. `experiment` has the rows, and the figure whose name ends in `figure`."""

    where: str
    claim: str
    paper: str
    experiment: str
    rule: Callable[[Evidence], Found]
    figure: str = ""


def judge(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """The row of the table: what was found here, with the seed if it is one alone, and the verdict; or "not run"."""
    try:
        ours, verdict = claim.rule(evidence)
        if claim.experiment in ONE_SEED and len(evidence.rows.seeds) > 1:
            ours += f" (seed {evidence.of(claim.experiment).seeds[0]})"
    except NotRun:
        ours, verdict = "-", "not run"
    shown = verdict if verdict == "not run" else VERDICTS[verdict]
    return {"where": claim.where, "claim": claim.claim, "paper": claim.paper, "here": ours, "verdict": shown}
