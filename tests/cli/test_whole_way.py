"""A model with no default option, from its training to its file."""

import re

from tests.support.smoke import last_line


def test_a_variant_goes_the_whole_way(toy):
    """Everything that is not the default at once, from its training to its file, which translates as the run does."""
    variant = {"cell": "gru", "attention": "general", "attention-span": "local_p"}
    variant |= {"bidirectional": True, "compute-dtype": "bfloat16"}
    options = [word for name, value in variant.items() for word in (f"--model.{name}", value)]
    trained = last_line(toy.type("train", "--recipe", "tiny", "--corpus.name", "reverse", *options))
    pruned = last_line(toy.type("prune", "--run", trained, "--sparsity", 0.5))
    retrained = last_line(toy.type("retrain", "--run", pruned))
    toy.type("export", retrained, "-o", "variant.slim")
    sources, references = toy.lines("test", "letters"), toy.lines("test", "reversed")
    lines = ("\n".join(sources) + "\n").encode()
    from_run = toy.type("translate", "--run", retrained, input=lines).stdout
    assert toy.type("translate", "--model", "variant.slim", input=lines).stdout == from_run
    assert sum(map(str.__eq__, from_run.decode().splitlines(), references)) > 0.9 * len(references)
    words, units, half = 16, 48, 24  # of the toy; of `tiny`; of each direction of the encoder
    prunable = 3 * words * units + (units + units) * 3 * units + 2 * (units + half) * 3 * half
    prunable += 2 * units * units + 2 * units * units  # of attention: kernel; score and position
    shown = re.sub(" +", " ", toy.type("inspect", retrained).stdout.decode())
    assert f"all classes {prunable:,} {prunable - prunable // 2:,} 50.00%" in shown
