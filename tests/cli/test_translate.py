"""`translate` as a filter: one line (or block) per line, in order, for any bytes, in bounded memory."""

import io
import json
import random
import subprocess
import sys
import tracemalloc

import pytest

import seq2slim
from seq2slim import cli
from seq2slim.cli import translate
from seq2slim.data.corpora.lines import forgiving_lines
from seq2slim.decoding import LengthPenalty
from seq2slim.inference import translator


@pytest.fixture(scope="module")
def model(toy):
    """The same model by the Python API, searching as by default."""
    return seq2slim.load(toy.run_dirs["retrained"])


def test_it_translates(toy):
    """The toy's target is its source reversed, and the model has learnt it."""
    sources, references = toy.lines("test", "letters"), toy.lines("test", "reversed")
    out = toy.type("translate", "--run", toy.run_dirs["baseline"], input="\n".join(sources).encode()).stdout.decode()
    lines = out.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(references)
    assert sum(map(str.__eq__, lines, references)) > 0.8 * len(references)


ODD = {
    b"a b c": "a b c",
    b"": "",
    b" \t ": "",
    b"\x00\x07\x1b\x7f": "",  # control characters alone: blank
    b"a\x0bb\x0cc\x1dd": "a b c d",  # control characters count as spaces, and end no line
    "a\u2028b\u2029c\x85d".encode(): "a b c d",  # nor do the line separators of Unicode
    b"a b\r": "a b",  # the line end of Windows
    "🦙 a 🏳️‍🌈 b".encode(): "🦙 a 🏳️‍🌈 b",
    b"a \xff\xfe b": "a \ufffd\ufffd b",
    b"a b \xc3": "a b \ufffd",
    b"c d e f g": "c d e f g",
    b" ".join([b"a"] * 10_000): " ".join(["a"] * 1000),
    b"b " * 600_000: " ".join(["b"] * 1000),  # longer than the most bytes that are read of a line
    b"e f": "e f",
}


@pytest.fixture(scope="module")
def odd(toy):
    """All odd lines in one input, a byte order mark at its head and no newline at its end."""
    return toy.type(
        "translate", "--run", toy.run_dirs["retrained"], "--scores", "--window", "5",
        input=b"\xef\xbb\xbf" + b"\n".join(ODD),
    )  # fmt: skip


def test_odd_lines_get_one_line_each_of_what_they_are_read_as(odd, model):
    lines = odd.stdout.decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(ODD)
    expected = [hypotheses[0] for hypotheses in model.translate(list(ODD.values()), n_best=1)]
    for line, (typed, read), hypothesis in zip(lines, ODD.items(), expected):
        score, text = line.split("\t")
        assert text == hypothesis.text, typed[:40]
        assert float(score) == pytest.approx(hypothesis.score, abs=1e-3)
        assert (text == "") == (read == "")


def test_what_was_done_to_odd_lines_is_reported_once_per_kind(odd):
    said = odd.stderr.decode().splitlines()
    place = {typed: number for number, typed in enumerate(ODD, start=1)}
    wrong, many, long = place[b"a \xff\xfe b"], place[b" ".join([b"a"] * 10_000)], place[b"b " * 600_000]
    assert set(said) == {
        f"seq2slim: line {wrong}: not UTF-8: what is wrong was replaced by U+FFFD",
        f"seq2slim: 2 lines in all, from line {wrong} on: not UTF-8: what is wrong was replaced by U+FFFD",
        f"seq2slim: line {many}: cut after 1,000 of 10,000 tokens",
        f"seq2slim: line {long}: cut after 1,048,576 bytes",
        f"seq2slim: 2 lines in all, from line {many} on: cut after 1,000",
    }


def test_n_best_prints_blocks_of_that_many_lines_with_scores(toy, model):
    source = "a b c\n\nx y\n"
    out = toy.type(
        "translate", "--run", toy.run_dirs["retrained"], "--n-best", 3, "--beam", 4, "--scores", "--length-penalty",
        "power", "--alpha", 0.5, input=source.encode(),
    ).stdout.decode()  # fmt: skip
    lines = [line.split("\t") for line in out.splitlines()]
    assert len(lines) == 9
    assert lines[3:6] == [["0.0000", ""]] * 3
    blocks = model.translate(source.splitlines(), beam=4, n_best=3, length_penalty=LengthPenalty("power", 0.5))
    for (score, text), hypothesis in zip(lines, (hypothesis for block in blocks for hypothesis in block)):
        assert text == hypothesis.text
        assert float(score) == pytest.approx(hypothesis.score, abs=1e-3)
    for first in (0, 6):
        scores = [float(score) for score, _ in lines[first : first + 3]]
        assert scores == sorted(scores, reverse=True)


def test_the_dictionary_is_learnt_once_and_kept_in_the_run(toy):
    run_dir = toy.run_dirs["baseline"]
    done = toy.type("translate", "--run", run_dir, "--beam", 1, "--replace-unknown", "dictionary", input=b"a b c\n")
    assert "learning the dictionary" in done.stderr.decode()
    assert "dictionary: 4,000/4,000" in done.stderr.decode()
    header, *rows = (run_dir / "dictionary.tsv").read_text().splitlines()
    assert header.split("\t") == ["source", "target", "count", "probability"]
    reported = []
    kept = seq2slim.load(run_dir).dictionary(reported.append)
    assert (list(kept.items()), reported) == ([tuple(row.split("\t")[:2]) for row in rows], [])
    # Held: where the run is read-only, the training set would else be decoded at each call.
    again = seq2slim.load(run_dir)
    first = again.dictionary()
    (run_dir / "dictionary.tsv").unlink()
    assert again.dictionary() is first
    # Letters of the toy are copied: a model that has learnt to reverse them attends to the letter it writes.
    assert sum(source == target for source, target, *_ in (row.split("\t") for row in rows)) >= 10


def test_who_reads_no_further_ends_it_quietly(toy, tmp_path):
    (tmp_path / "in").write_text("a b c d\n" * 20_000)
    with (tmp_path / "in").open("rb") as source:
        process = subprocess.Popen(
            toy.command("translate", "--run", toy.run_dirs["retrained"], "--window", 200), stdin=source,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=toy.runs.parent, env=toy.environment(),
        )  # fmt: skip
    assert process.stdout.readline() == b"d c b a\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


def test_a_contradiction_is_reported_in_one_line(toy, capsys):
    for words, message in (
        (["--beam", "2", "--n-best", "3"], "n_best=3 hypotheses need a beam of at least as many, got beam=2"),
        (["--n-best", "0"], "n_best must be at least 1, got 0"),
        (["--window", "0"], "--window is a number of lines, at least 1, got 0"),
    ):
        assert cli.main(["translate", "--run", str(toy.run_dirs["retrained"]), *words]) == 2
        assert capsys.readouterr() == ("", f"seq2slim: {message}\n")


def test_memory_does_not_grow_with_the_input(model):
    """What Python holds at most, of ten times the lines; the text alone of a line would be 60 bytes."""

    def peak(count: int) -> int:
        source, sink = io.BufferedReader(Endless(count)), Sink()
        tracemalloc.start()
        found = model.stream(forgiving_lines(source, print), model.configured(beam=1), window=200)
        translate.write(found, sink, scores=False)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sink.lines == count
        return held

    peak(2000)  # compiles
    assert peak(6000) - peak(600) < 50 * (6000 - 600)


class Endless(io.RawIOBase):
    """So many lines "a b c", made when they are read."""

    def __init__(self, lines: int):
        self._left = lines

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(self._left, len(buffer) // 6)
        self._left -= count
        buffer[: 6 * count] = b"a b c\n" * count
        return 6 * count


class Sink:
    """Counts lines."""

    lines = 0

    def write(self, data: bytes):
        self.lines += data.count(b"\n")

    def flush(self):
        pass


MEASURED = """
import json, resource, subprocess, sys
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
    subprocess.run(sys.argv[3:], stdin=source, stdout=out, check=True)
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def peak_memory(toy, folder, count: int) -> tuple[int, int]:
    """(KiB, lines out) of translating so many lines, each a mark of its place that the model copies reversed."""
    draw = random.Random(0)
    lines = [" ".join(draw.choices("abcdefghijkl", k=draw.randint(2, 7))) for _ in range(997)]
    (folder / "in").write_text("".join(lines[row % 997] + "\n" for row in range(count)))
    command = toy.command("translate", "--run", toy.run_dirs["retrained"], "--beam", 1)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder / "in"), str(folder / "out"), *command],
        capture_output=True, text=True, check=True, cwd=toy.runs.parent, env=toy.environment(),
    )  # fmt: skip
    out = (folder / "out").read_text().split("\n")[:-1]
    # 997 is prime: no multiple of it is a window or a batch by which lines could be displaced.
    assert all(out[row] == out[row % 997] for row in range(count)), "a line is out of its place"
    assert len(set(out[:997])) > 500
    return json.loads(done.stdout), len(out)


@pytest.mark.slow
def test_memory_of_200_000_lines_is_that_of_2_000(toy, tmp_path):
    peak_memory(toy, tmp_path, 2000)
    little, lines = peak_memory(toy, tmp_path, 2000)
    much, more_lines = peak_memory(toy, tmp_path, 200_000)
    assert (lines, more_lines) == (2000, 200_000)
    assert much < 1.1 * little


def test_options_of_the_search_reach_it(toy, monkeypatch):
    asked = {}

    def stream(translator, lines, search, replace_unknown, n_best, *, window, report):
        asked.update(search=search, replace_unknown=replace_unknown, n_best=n_best, window=window, lines=list(lines))
        return iter(())

    monkeypatch.setattr(translator.Translator, "stream", stream)
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a b\nc\n")))
    monkeypatch.setattr("sys.stdout", out)
    words = ["--replace-unknown", "copy", "--limits", "paper", "--batch-size", "3", "--window", "7"]
    words += ["--alpha", "0.5", "--length-penalty", "gnmt"]
    assert cli.main(["translate", "--run", str(toy.run_dirs["retrained"]), *words]) == 0
    search = asked.pop("search")
    assert (search.limits, search.batch_size, search.length_penalty.alpha) == ("paper", 3, 0.5)
    assert asked == {"replace_unknown": "copy", "n_best": 1, "window": 7, "lines": ["a b", "c"]}


@pytest.fixture(scope="module")
def few_words(toy):
    """A model of the toy that knows six of its letters, and has learnt to write <unk> where another stood."""
    words = ("--recipe", "tiny", "--corpus.name", "reverse", "--vocabulary.size", 10)
    return toy.runs / toy.type("train", *words).stdout.decode().split("\n")[-2].rpartition("/")[2]


def test_unknown_words_are_replaced_by_the_source_word_they_attend_to(toy, few_words):
    """Copied, each is a letter of its own line; the dictionary knows another word for all but one."""
    sources = [line.split() for line in toy.lines("test", "letters")]
    letters = sorted({letter for line in sources for letter in line})
    table = "".join(f"{letter}\t{letter.upper()}\t10\t1.0000\n" for letter in letters if letter != "a")
    (few_words / "dictionary.tsv").write_text(f"source\ttarget\tcount\tprobability\n{table}")

    def lines(how):
        words = ("translate", "--run", few_words, "--replace-unknown", how)
        out = toy.type(*words, input="\n".join(map(" ".join, sources)).encode()).stdout.decode()
        return [line.split() for line in out.split("\n")[:-1]]

    left, copied, translated = lines("no"), lines("copy"), lines("dictionary")
    assert len({letter for line in left for letter in line} - {"<unk>"}) == 10 - 4
    assert sum("<unk>" in line for line in left) > 0.9 * len(left)
    assert [len(line) for line in left] == [len(line) for line in copied] == [len(line) for line in translated]
    replaced = set()
    for source, *words in zip(sources, left, copied, translated):
        for before, copy, other in zip(*words):
            if before != "<unk>":
                assert copy == other == before
                continue
            replaced.add(copy)
            assert copy in source
            assert other == ("a" if copy == "a" else copy.upper())
    assert "a" in replaced
    assert len(replaced) > 6


def test_an_exponent_without_a_penalty_is_refused(toy):
    done = toy.type("translate", "--run", toy.run_dirs["retrained"], "--alpha", 0.5, input=b"a b\n", code=2)
    assert "--alpha is the exponent of a length penalty" in done.stderr.decode()
