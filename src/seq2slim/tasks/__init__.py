"""What is learnt and how it is scored: text to pairs, vocabularies, constraints on the search, scores.

To add a task, write a subclass of `Task` and enter an instance of it in `TASKS`; the stages and the command line then
offer it:

    class Copying(Task):
        name = "copying"
        metrics = {"exact_match": True}

        def pair(self, source, target, line, split):
            return source, source

        def scores(self, hypotheses, references, tokenize="13a"):
            equal = sum(map(str.__eq__, hypotheses, references))
            return Scores({"exact_match": 100 * equal / len(references)})
"""

from typing import Literal

from seq2slim.errors import UserError, nearest
from seq2slim.tasks.task import Scores, Task
from seq2slim.tasks.translation import Translation

__all__ = ["DEFAULT", "TASKS", "Scores", "Task", "TaskName", "Translation", "task_named"]

DEFAULT = Translation.name  # of a text or model that names none
TASKS: dict[str, Task] = {task.name: task for task in (Translation(),)}
TaskName = Literal[*TASKS]  # the type of an option that names a task


def task_named(name: str) -> Task:
    """The task of that name in `TASKS`. Raises: UserError naming the nearest one."""
    if not isinstance(name, str) or name not in TASKS:  # a name may come from a file
        raise UserError(f"task: got {name!r}; {nearest(str(name), TASKS)}")
    return TASKS[name]
