"""Training and beam search outrun hand-written PyTorch on the same CPU; 216M weights are pruned within seconds.

    make bench                                        # our figures alone
    make bench PEERS=DIR ARGS="--peer-python PYTHON"  # and the PyTorch peers in DIR, run by a Python that has torch

Cost on 2 cores: minutes. Expected on an idle machine: every floor is met.

Shapes: training at V=8,000, batch 64, 25 words per side, SGD with clipping; beam search at V=8,000, 32 sentences of 25
words, 40 steps; pruning at the size of See et al. 2016.

Every measurement is a separate process. They take turns - ours, the peer, the peer with huge pages for malloc, the next
measurement, ... and again - because machines drift; the table shows medians over the rounds. Ours runs with huge pages,
as everything under `make`; a peer counts by the better of its medians with and without. A timing is the median of 5
calls after a warm-up call; for the threshold and the masks it is the first call. A peer is a script that takes the
arguments of our side, `experiments.bench.ours`, and prints JSON with the same key.
"""

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import tyro
from rich.table import Table
from rich.text import Text

from experiments.bench import processes
from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.runs.console import Console

BUSY = 0.25  # load average per core above which other work is likely to disturb the figures
OURS, PEER, PEER_HUGE = "ours", "peer", "peer, huge pages"


@dataclass(frozen=True)
class Config:
    """How the benchmark is run.

    Attributes:
      peers: folder with the PyTorch peers torch_train.py and torch_beam.py; without it only ours is measured.
      peer_python: a Python that can import torch; by default python3, else the one that runs this.
      rounds: number of measurements of each figure.
      quick: tiny shapes, to which no floor applies: to see that everything runs.
      output: file for the rows as JSON lines, each with its rounds and the machine.
    """

    peers: Path | None = None
    peer_python: str | None = None
    rounds: int = 5
    quick: bool = False
    output: Path | None = None

    def __post_init__(self):
        if self.rounds < 1:
            raise UserError(f"rounds must be at least 1, got {self.rounds}")
        if self.output is not None and not self.output.absolute().parent.is_dir():
            raise FileNotFoundError(f"output {self.output}: there is no folder {self.output.parent}")


class Figure(NamedTuple):
    """One number printed by a measurement. floor: least ratio ours / peer; without a peer, the largest value."""

    name: str
    key: str
    unit: str
    floor: float | None = None


class Measurement(NamedTuple):
    """command: arguments of `experiments.bench.ours`, all but the first the peer's too. peer: script, or None."""

    command: tuple
    peer: str | None
    figures: tuple[Figure, ...]


def measurements(quick: bool) -> list[Measurement]:
    """The measurements of a round, in order; the machine's matrix product comes first."""
    small, large, vocabulary = ((1, 8), (2, 8), 40) if quick else ((1, 256), (2, 500), 8000)
    words = (vocabulary, 4, 3, 3) if quick else (vocabulary, 64, 25, 25)  # V, batch, words per side
    search = (vocabulary, 4, 2, 3, 4) if quick else (vocabulary, 32, 5, 25, 40)  # V, batch, beam, source words, steps
    square = 64 if quick else 2048
    see2016 = (1, 8, 40) if quick else (4, 1000, 50_000)  # 216,000,000 weights in 12 arrays

    def training(layers, units, floor):
        figure = Figure(f"training step, {layers}x{units}", "target_tokens_per_s", "tokens/s", floor)
        return Measurement(("train", layers, units, *words), "torch_train.py", (figure,))

    sentences = Figure(f"beam {search[2]}, {large[0]}x{large[1]}", "sentences_per_s", "sentences/s", 1.5)
    pruning = (
        Figure("exact global threshold", "threshold_s", "s", 1.0),
        Figure("threshold: GB beyond the weights", "threshold_gb", "GB", 0.2),
        Figure("threshold and masks", "masks_s", "s", 3.0),
        Figure("masks: GB beyond the weights", "masks_gb", "GB"),
    )
    return [
        Measurement(("gemm", square), None, (Figure(f"float32 product, {square}^3", "gflop_per_s", "GFLOP/s"),)),
        training(*small, 1.3),
        training(*large, 1.2),
        Measurement(("beam", *large, *search), "torch_beam.py", (sentences,)),
        Measurement(("threshold", *see2016), None, pruning),
    ]


Runs = dict[tuple[int, str], list[dict]]  # (number of the measurement, contestant) -> what it printed, round by round


def in_turn(subjects: list[Measurement], rounds: int, run: Callable[[int, str], dict], peers: bool) -> Runs:
    """Runs every contestant once per round. run: (number of the measurement, contestant) -> its JSON."""
    runs: Runs = {}
    for _ in range(rounds):
        for number, subject in enumerate(subjects):
            for contestant in (OURS, PEER, PEER_HUGE) if peers and subject.peer else (OURS,):
                runs.setdefault((number, contestant), []).append(run(number, contestant))
    return runs


def rows(subjects: list[Measurement], runs: Runs, judged: bool) -> list[dict]:
    """One row per figure: medians, ratio to the better peer, whether the floor is met, share of the product rate.

    Unknown values are None, as the ratio without a peer. `judged`: compare with the floors.
    """
    ceiling = statistics.median(answer["gflop_per_s"] for answer in runs[0, OURS])
    made = []
    for number, subject in enumerate(subjects):
        own = {contestant: runs[number, contestant] for n, contestant in runs if n == number}
        share = None
        if subject.command[0] == "train":
            share = statistics.median(answer["gflop_per_s"] for answer in own[OURS]) / ceiling
        for figure in subject.figures:
            rounds = {contestant: [answer[figure.key] for answer in answers] for contestant, answers in own.items()}
            median = {contestant: statistics.median(values) for contestant, values in rounds.items()}
            peers = [median[contestant] for contestant in (PEER, PEER_HUGE) if contestant in median]
            ratio = median[OURS] / max(peers) if peers else None
            met = None
            if judged and figure.floor is not None and (peers or not subject.peer):
                met = ratio >= figure.floor if peers else median[OURS] <= figure.floor
            row = {"figure": figure.name, "command": " ".join(map(str, subject.command)), "unit": figure.unit}
            row |= {contestant: median.get(contestant) for contestant in (OURS, PEER, PEER_HUGE)}
            bound = {"floor": figure.floor, "floor_is": "ratio" if subject.peer else "most", "met": met}
            made.append(row | {"ratio": ratio} | bound | {"share_of_gemm": share, "rounds": rounds})
    return made


def table(made: list[dict]) -> Table:
    """The rows as a table for the terminal."""
    shown = Table()
    for name in ("", "unit", OURS, PEER, PEER_HUGE, "ratio", "floor", "", "of product rate"):
        shown.add_column(name, justify="left" if name in ("", "unit", "floor") else "right", no_wrap=not name)
    for row in made:
        floor = "min {}x" if row["floor_is"] == "ratio" else "max {} {}"
        shown.add_row(
            row["figure"],
            row["unit"],
            *(_digits(row[contestant]) for contestant in (OURS, PEER, PEER_HUGE)),
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}x",
            "-" if row["floor"] is None else floor.format(row["floor"], row["unit"]),
            {True: Text("met", "green"), False: Text("MISSED", "bold red"), None: ""}[row["met"]],
            "-" if row["share_of_gemm"] is None else f"{row['share_of_gemm']:.0%}",
        )
    return shown


def main(config: Config, runner=None):
    """Measures, shows the table, writes `config.output`. runner: given by `seq2slim run`; its console is used."""
    console = runner.console if runner is not None else Console()
    subjects = measurements(config.quick)
    peer_python, torch = _find_peers(config, subjects, console) or (None, None)
    machine = processes.machine(torch)
    if machine["load"] > BUSY * machine["cores"]:
        load = f"load average {machine['load']} on {machine['cores']} cores"
        console.say(f"WARNING: other work is running ({load}); only an idle machine gives figures worth keeping.")
    total = config.rounds * sum(3 if peer_python and subject.peer else 1 for subject in subjects)
    done = 0

    def run(number: int, contestant: str) -> dict:
        nonlocal done
        console.progress("bench", done, total)
        done += 1
        subject = subjects[number]
        arguments = [str(argument) for argument in subject.command]
        if contestant == OURS:
            ours = [sys.executable, "-m", "experiments.bench.ours", *arguments]
            return processes.printed(ours, huge_pages=True)
        peer = [peer_python, str(config.peers.absolute() / subject.peer), *arguments[1:]]
        return processes.printed(peer, huge_pages=contestant == PEER_HUGE)

    runs = in_turn(subjects, config.rounds, run, peers=peer_python is not None)
    console.finish()
    made = rows(subjects, runs, judged=not config.quick)
    console.show(table(made))
    pruned = runs[len(subjects) - 1, OURS][-1]
    memory = "" if pruned["peak_reset"] else "; the peak of memory cannot be reset here, so the GB are lower bounds"
    console.say(f"Pruned: {pruned['weights']:,} normal weights in {pruned['arrays']} arrays{memory}.")
    described = ", ".join(f"{name} {value}" for name, value in machine.items() if value is not None)
    console.say(f"Medians of {config.rounds} rounds in turn on {described} (load average at the start).")
    if config.output is not None:
        lines = [json.dumps(row | {"quick": config.quick, "machine": machine}) + "\n" for row in made]
        write_atomically(config.output, "".join(lines))


def smoke(config: Config) -> Config:
    """Tiny shapes, one round."""
    return replace(config, quick=True, rounds=1)


def _find_peers(config: Config, subjects: list[Measurement], console: Console) -> tuple[str, str] | None:
    """(Python, version of torch) for the peers; None, with a message, if they are skipped."""
    if config.peers is None:
        console.say("The PyTorch peers are skipped: --peers (make bench PEERS=DIR) names no folder.")
        return None
    for script in sorted({subject.peer for subject in subjects if subject.peer}):
        if not (config.peers / script).is_file():
            raise FileNotFoundError(f"peers: there is no {config.peers / script}")
    candidates = [config.peer_python] if config.peer_python else ["python3", sys.executable]
    found = processes.python_with_torch(candidates)
    if found is None:
        console.say(f"The PyTorch peers are skipped: {' and '.join(candidates)} cannot import torch (--peer-python).")
    return found


def _digits(value: float | None) -> str:
    """At least three significant digits."""
    if value is None:
        return "-"
    return f"{value:,.{0 if value >= 1000 else 1 if value >= 10 else 2 if value >= 0.1 else 3}f}"


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except (OSError, RuntimeError, UserError) as error:
        sys.exit(f"bench: {error}")
