"""Output of a run for a terminal: lines, tables and a progress bar; in a log file, plain lines only."""

import time
from collections.abc import Callable

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TextColumn


class Console:
    """Output of the runner and its stages.

    Args:
      rich: the rich console to write to; by default standard output, 120 columns wide if that is not a terminal.
      every: seconds between two progress lines if it is not a terminal.
      clock: seconds, monotonic.
    """

    def __init__(
        self, rich: RichConsole | None = None, every: float = 10.0, clock: Callable[[], float] = time.monotonic
    ):
        self.rich = rich or RichConsole(markup=False, emoji=False)
        if rich is None and not self.rich.is_terminal:
            self.rich = RichConsole(markup=False, emoji=False, width=120)
        self._every, self._clock = every, clock
        self._title = self._bar = self._start = self._shown_at = None

    def say(self, line: str):
        """One line of plain text, not wrapped."""
        self.rich.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def show(self, renderable):
        """A rich table or similar; the default console prints its texts literally, without markup."""
        self.rich.print(renderable)

    def progress(
        self,
        title: str,
        step: int,
        total: int,
        tokens_per_s: float | None = None,
        loss: float | None = None,
        sentences_per_s: float | None = None,
    ):
        """How far a stage is; cheap enough to call at every step.

        Time left is estimated from the first call on, so that neither compilation nor the steps of an earlier attempt
        count. A new title starts a new bar.
        """
        now = self._clock()
        if title != self._title:
            self.finish()
            self._title, self._start, self._shown_at = title, (step, now), now
            if self.rich.is_terminal:
                columns = [
                    TextColumn("{task.description}", markup=False),
                    BarColumn(30),
                    TextColumn("{task.fields[text]}", markup=False),
                ]
                self._bar = Progress(*columns, console=self.rich, auto_refresh=False, transient=True)
                self._bar.add_task(title, total=total, completed=step, text="")
                self._bar.start()
            elif step < total:
                return  # nothing measured yet; the first line comes in `every` seconds
        elif now - self._shown_at < (0.3 if self._bar else self._every) and step < total:
            return
        self._shown_at = now
        rates = {"tokens/s": tokens_per_s, "sentences/s": sentences_per_s}
        text = _progress_text(step, total, rates, loss, self._time_left(step, total, now))
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=step, total=total, text=text)
            self._bar.refresh()
        else:
            self.say(f"{title}: {text}")

    def finish(self):
        """Removes the bar."""
        if self._bar:
            self._bar.stop()
        self._title = self._bar = None

    def _time_left(self, step: int, total: int, now: float) -> float | None:
        first_step, first_time = self._start
        return (total - step) * (now - first_time) / (step - first_step) if step > first_step else None


def _progress_text(
    step: int, total: int, rates: dict[str, float | None], loss: float | None, left: float | None
) -> str:
    parts = [f"{step:,}/{total:,}"]
    if loss is not None:
        parts.append(f"loss {loss:.4g}")
    parts += [f"{rate:,.0f} {unit}" for unit, rate in rates.items() if rate is not None]
    if left is not None and step < total:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in words: "8.4 s", "3:07 min", "2:05 h"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"
