"""Progress: now and then a line in a log file, a bar on a terminal, and a time left that comes from the steps seen."""

from io import StringIO

from rich.console import Console as RichConsole
from rich.table import Table

from seq2slim.runs.console import Console, duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_log_file_gets_a_line_every_ten_seconds_and_the_last_step():
    output, clock = StringIO(), Clock()
    console = Console(RichConsole(file=output, width=100), clock=clock)
    for step in range(500, 1001):  # resumed at 500; the first call comes 100 s after the start
        clock.now = 100.0 + (step - 500) * 0.1
        console.progress("train-1a2b", step=step, total=1000, tokens_per_s=12345.6, loss=3.21987)
    lines = output.getvalue().splitlines()
    assert lines[0] == "train-1a2b: 600/1,000, loss 3.22, 12,346 tokens/s, 40.0 s left"
    assert lines[-1] == "train-1a2b: 1,000/1,000, loss 3.22, 12,346 tokens/s"
    assert len(lines) == 5
    console.finish()
    console.progress("next", step=0, total=10)
    assert len(output.getvalue().splitlines()) == 5


def test_a_terminal_gets_a_bar_and_lines_above_it():
    output, clock = StringIO(), Clock()
    console = Console(RichConsole(file=output, width=100, force_terminal=True), clock=clock)
    for step in range(3):
        clock.now = step
        console.progress("train", step=step, total=10, loss=1.0)
    console.say("[not markup] said")
    console.finish()
    assert "2/10, loss 1, 8.0 s left" in output.getvalue()
    assert "[not markup] said" in output.getvalue()


def test_texts_are_shown_as_they_are(capsys):
    console = Console()
    table = Table("a [b]")
    table.add_row("[bold]x[/] :smile:")
    console.show(table)
    console.say("[red]y :cat:")
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("a [b]", "[bold]x[/] :smile:", "[red]y :cat:"))


def test_durations():
    assert [duration(s) for s in (0, 8.44, 59.9, 59.96, 187, 3599.7, 7500)] == [
        "0.0 s", "8.4 s", "59.9 s", "1:00 min", "3:07 min", "1:00 h", "2:05 h",
    ]  # fmt: skip


def test_sentences_per_second_are_shown_as_such():
    clock, written = iter([0.0, 20.0]), StringIO()
    console = Console(RichConsole(file=written, width=120), clock=lambda: next(clock))
    console.progress("decode-1a2b", step=1, total=100, sentences_per_s=41.6)
    console.progress("decode-1a2b", step=50, total=100, sentences_per_s=41.6)
    assert "decode-1a2b: 50/100, 42 sentences/s, 20.4 s left" in written.getvalue()
