"""The rows and series of one study, as the rules of claims ask for them."""

from typing import Any, NamedTuple

from experiments.study_rows import Rows


class NotRun(Exception):
    """A rule asks for a row that is not there yet."""


class Evidence(NamedTuple):
    """What one study has: its rows, and the series of all."""

    rows: Rows
    series: dict[str, dict[str, Any]]

    def of(self, experiment: str) -> Rows:
        """The rows of one experiment. Raises: NotRun if there is none."""
        found = self.rows.of(experiment=experiment)
        if not len(found):
            raise NotRun
        return found

    def main(self, experiment: str) -> Rows:
        """Those on the corpus of the study, not on a second one. Raises: NotRun if there is none."""
        found = self.of(experiment).of(part="main")
        if not len(found):
            raise NotRun
        return found


def needed(value):
    """`value`, which a rule cannot do without. Raises: NotRun for None or an empty list."""
    if value is None or value == []:
        raise NotRun
    return value
