"""`inspect` shows lineage, metrics and weights."""

import json
import re

import numpy as np

from seq2slim import cli
from seq2slim.inference.model_files import load_model


def test_inspect_shows_lineage_metrics_and_weights(toy, capsys):
    assert cli.main(["inspect", str(toy.run_dirs["retrained"])]) == 0
    shown = capsys.readouterr().out
    names = [toy.run_dirs[label].name for label in ("baseline", "pruned 80%", "retrained")]
    places = [shown.index(f"\n  {name}\n") for name in names]
    assert places == sorted(places)
    model = load_model(toy.run_dirs["retrained"])
    leaf = np.asarray(model.params["softmax"]["kernel"])
    assert re.search(rf"softmax +{leaf.size:,} +{np.count_nonzero(leaf):,} ", shown)
    last = json.loads((toy.run_dirs["retrained"] / "metrics.jsonl").read_text().splitlines()[-1])
    assert f"step {last['step']}, valid_loss {last['valid_loss']:.5g}" in shown
