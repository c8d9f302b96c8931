"""Published rows and series: replaced by identity or by group, sorted, all or nothing."""

import math
import os
import subprocess
import sys

import pytest
from rich.console import Console

from seq2slim.runs.results import publish, published, rich_table, store, table


def row(identity, label, **values):
    return {"identity": identity, "experiment": "e", "label": label, "seed": 0, **values}


def test_rows_and_series_of_an_identity_are_replaced_and_others_stay(tmp_path):
    folder = tmp_path / "results" / "e"
    assert published(folder) == ([], {})
    first = [row("bb", "baseline", bleu=1.0), row("aa", "pruned", perplexity=math.inf), row("aa", "pruned", beam=5)]
    publish(first, {"aa": {"loss": [1.0, math.nan], "density": {"softmax": 0.2}}, "bb": {"loss-2": [3]}}, folder)
    written = publish([row("aa", "retrained", bleu=2.0)], {"aa": {"loss": [4]}}, folder)
    rows, series = published(folder)
    assert written == (rows, series)
    assert rows == [row("bb", "baseline", bleu=1.0), row("aa", "retrained", bleu=2.0)]
    assert series == {"aa": {"loss": [4]}, "bb": {"loss-2": [3]}}


def test_a_group_is_replaced_whole_with_its_series(tmp_path):
    """Another recipe gives its rows other identities: those of the old one must not stay beside them."""
    old = [row(identity, identity, group="seed 1") for identity in ("aa", "bb")]
    others = [row("bb", "shared", group="seed 2"), row("cc", "no group")]
    store([*old, *others], {"aa": {"loss": [1]}, "bb": {"loss": [2]}, "cc": {"loss": [3]}}, tmp_path)
    new = [row("dd", "other recipe", group="seed 1")]
    store(new, {"dd": {"loss": [4]}}, tmp_path)
    rows, series = published(tmp_path)
    assert sorted(map(str, rows)) == sorted(map(str, [*new, *others]))
    # What another group still stands on stays; what nobody names any more goes.
    assert series == {"bb": {"loss": [2]}, "cc": {"loss": [3]}, "dd": {"loss": [4]}}


def test_a_smoke_row_may_be_stored_but_not_published(tmp_path):
    store([row("a", "x", smoke=True)], {}, tmp_path)
    rows, _ = published(tmp_path)
    assert rows == [row("a", "x", smoke=True)]


def test_what_is_published_comes_back_and_the_order_does_not_matter(tmp_path):
    rows = [row(f"{seed}", label, seed=seed, perplexity=math.inf) for seed in (2, 10) for label in ("b", "a")]
    publish(rows, {"2": {"x": [math.nan, -math.inf]}}, tmp_path / "one")
    publish(rows[::-1], {"2": {"x": [math.nan, -math.inf]}}, tmp_path / "two")
    assert (tmp_path / "one" / "rows.jsonl").read_bytes() == (tmp_path / "two" / "rows.jsonl").read_bytes()
    back, series = published(tmp_path / "one")
    assert sorted(map(str, back)) == sorted(map(str, rows))
    assert math.isnan(series["2"]["x"][0])
    assert series["2"]["x"][1] == -math.inf


@pytest.mark.parametrize(
    ("rows", "series", "message"),
    [
        ([row("a", "x", smoke=True)], {}, "SMOKE rows are never published: x"),
        ([{"label": "x"}], {}, "needs the identity"),
        ([row("a", "x", curve=[1, 2])], {}, "column 'curve' of the row x is not a scalar"),
        ([], {"a": {"../x": [1]}}, "cannot name a file"),
    ],
)
def test_bad_rows_are_refused_and_nothing_is_written(tmp_path, rows, series, message):
    with pytest.raises(ValueError, match=message):
        publish([row("good", "y"), *rows], series, tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_two_processes_at_once_lose_no_row(tmp_path):
    """Each stores twenty rows, one at a time, into the same folder."""
    script = (
        "import sys; from pathlib import Path; from seq2slim.runs.results import store\n"
        "for n in range(20): store([{'identity': f'{sys.argv[1]}{n}'}], {}, Path(sys.argv[2]))"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, name, tmp_path]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    assert {own["identity"] for own in published(tmp_path)[0]} == {f"{name}{n}" for name in "ab" for n in range(20)}


def test_a_damaged_line_is_named(tmp_path):
    publish([row("a", "x"), row("b", "y")], {}, tmp_path)
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text(lines[0] + "\n" + lines[1][:-1] + "\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2: not JSON"):
        published(tmp_path)


def test_tables():
    rows = [
        row("a", "baseline", bleu=34.891, weights=1234567),
        row("b", "pruned", bleu=None, weights=5, published=True),
    ]
    columns = {"label": "", "weights": ",d", "bleu": ".1f"}
    assert table(rows, columns).splitlines() == [
        "| label    |   weights | bleu |",
        "|----------|----------:|-----:|",
        "| baseline | 1,234,567 | 34.9 |",
        "| pruned   |         5 |    - |",
    ]
    assert table(rows, ["label", "seed"]).splitlines()[2] == "| baseline |    0 |"
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(rich_table(rows, columns))
    pruned = next(line for line in console.export_text().splitlines() if "pruned" in line)
    assert "published" in pruned
