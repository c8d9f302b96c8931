"""What a run is on disk: stages and their identities, the runner that runs each once, result rows, the console.

Knows no model and no text: a stage may be anything.
"""

from seq2slim.runs.console import Console
from seq2slim.runs.context import Context
from seq2slim.runs.records import lineage, read_record
from seq2slim.runs.runner import Runner, RunOptions, runs_folder
from seq2slim.runs.stage import Stage, identity, parents, run_name

__all__ = [
    "Console",
    "Context",
    "RunOptions",
    "Runner",
    "Stage",
    "identity",
    "lineage",
    "parents",
    "read_record",
    "run_name",
    "runs_folder",
]
