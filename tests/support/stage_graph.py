"""Stages from the text to a comparison, and run directories of them as the runner writes them."""

import json
from pathlib import Path

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.runs.stage import Stage, config_of, identity, run_name
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig


def graph(corpus: CorpusConfig) -> list[Stage]:
    """Every stage of a pruning experiment, none with default options; parents first."""
    text = Text(corpus, VocabularyConfig("bpe", 77, joint=True), 31)
    training = TrainingConfig(
        epochs=0.5, optimizer=OptimizerConfig("sgd", 1.0), schedule=ScheduleConfig("halving", halve_every=0.5)
    )
    train = Train(text, ModelOptions("tiny", units=6, bidirectional=True, dropout=0.25), training, False, 3)
    prune = Prune(train, "class_uniform", 0.25)
    retrain = Retrain(prune, seed=9)
    search = SearchConfig(beam=3, length_penalty=LengthPenalty("power", 0.5))
    evaluated = [Evaluate(model, "valid", search, "none") for model in (train, retrain)]
    return [text, train, prune, retrain, *evaluated, Compare(*evaluated, samples=7)]


def record(stage: Stage, runs: Path) -> Path:
    """Writes config.json as the runner does, and returns the run directory."""
    run_dir = runs / run_name(stage)
    run_dir.mkdir()
    facts = {"kind": stage.kind, "version": stage.version, "identity": identity(stage), "options": config_of(stage)}
    (run_dir / "config.json").write_text(json.dumps(facts | {"content": stage.content_hash()}))
    return run_dir


def recorded_graph(folder: Path) -> dict[Stage, Path]:
    """Stage -> its run directory in `folder`/runs, of the graph of a text whose files are in `folder`."""
    pairs = {}
    for split in ("train", "valid", "test"):
        pairs[split] = tuple(str(folder / f"{split}.{side}") for side in "ab")
        for path in pairs[split]:
            Path(path).write_text(f"words of {split}\n")
    runs = folder / "runs"
    runs.mkdir()
    return {stage: record(stage, runs) for stage in graph(CorpusConfig("text", **pairs))}
