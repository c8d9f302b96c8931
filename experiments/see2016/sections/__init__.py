"""The report of the study, section by section: each module draws and writes the rows of the experiment of its name."""

from pathlib import Path
from typing import NamedTuple


class Section(NamedTuple):
    """Markdown without its heading, and the figures written."""

    text: str
    figures: list[Path]
