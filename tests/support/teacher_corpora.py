"""A teacher corpus of six lines, written from shards."""

from seq2slim.distillation.n_best import Hypothesis
from seq2slim.distillation.shards import shard_path
from seq2slim.distillation.teacher_corpus import write_corpus, write_shard

SOURCES = ["one", "two", "", "four", "five", "six"]  # line 2 is not decoded
TEACHERS = ["a1", "b2"]


def said(line):
    """The teacher's two hypotheses of a line; its best one of line 4 is empty, that of line 5 was cut."""
    text = "" if line == 4 else f"says {SOURCES[line]} ||| x"
    first = Hypothesis(line, text, -1.0 - line / 8, -0.5, 3, line == 5)
    return [first, first._replace(text="or", log_prob=-9.0 - line, score=-3.0)]


def write(folder, orders=((5, 0, 3), (4, 1))):
    shards = folder / "shards"
    shards.mkdir(parents=True)
    for index, lines in enumerate(orders):
        write_shard(shard_path(shards, index), map(said, lines), SOURCES)
    return write_corpus(folder, shards, len(orders), SOURCES, {"teachers": TEACHERS, "beam": 2})
