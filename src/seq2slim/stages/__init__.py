"""The stages that experiments are composed of; one file per stage, or per family of stages."""

from seq2slim.stages.decode import Decode, Join
from seq2slim.stages.dry_run import DryRun
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.measure import Memorisation, Mode, Speed
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.prune import Prune
from seq2slim.stages.rebuild import KINDS, stage_of
from seq2slim.stages.redundancy import Redundancy
from seq2slim.stages.relabel import HeldOut, RelabelledText, Select
from seq2slim.stages.store import Store, StoreShape
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.stages.words import StoreWords

__all__ = [
    "KINDS",
    "Compare",
    "Decode",
    "DryRun",
    "Evaluate",
    "HeldOut",
    "Join",
    "Memorisation",
    "Mode",
    "Perplexity",
    "Prune",
    "Redundancy",
    "RelabelledText",
    "Retrain",
    "Select",
    "Speed",
    "Store",
    "StoreShape",
    "StoreWords",
    "Text",
    "Train",
    "stage_of",
]
