"""Finds the run that was typed after --run, and makes runners for new runs beside it."""

import os
from pathlib import Path

from seq2slim.cli.compiled import XLA_CACHE, keep_compiled
from seq2slim.errors import UserError, nearest
from seq2slim.inference.model_files import MODEL_CONFIG
from seq2slim.runs.done import CONFIG
from seq2slim.runs.records import read_record
from seq2slim.runs.runner import Runner, runs_folder


def find_run(typed: Path) -> Path:
    """The run directory, resolved, from its path, a link to it, or its name in the runs folder.

    Raises: UserError with the nearest existing name.
    """
    for path in (typed, runs_folder() / typed):
        if path.is_dir():
            return path.resolve()  # "." has no name
    folder = typed.parent if typed.parent != Path(".") else runs_folder()
    there = sorted(path.name for path in folder.iterdir() if (path / CONFIG).is_file()) if folder.is_dir() else []
    hint = nearest(typed.name, there) if there else f"there are no runs in {folder}"
    raise UserError(f"no run {typed}; {hint if len(hint) < 300 else f'there are {len(there)} runs in {folder}'}")


def shown(run_dir: Path) -> Path:
    """`run_dir` for printing: relative to the working directory, if it is inside it."""
    return Path(os.path.relpath(run_dir)) if run_dir.resolve().is_relative_to(Path.cwd()) else run_dir


def find_model_run(typed: Path) -> Path:
    """`find_run` of a run that has a model; also uses the compilation cache of its runs folder.

    Raises: UserError if it has no model, with what to do.
    """
    run_dir = find_run(typed)
    if not (run_dir / MODEL_CONFIG).is_file():
        kind = read_record(run_dir)["kind"]
        if kind in ("train", "prune", "retrain"):
            raise UserError(
                f"{shown(run_dir)} has no model yet: its {kind} is not finished; repeat the command that started it"
            )
        raise UserError(f"{shown(run_dir)} is a run of {kind}, which has no model; give one of train, prune or retrain")
    if (cache := run_dir.parent / XLA_CACHE).is_dir():
        keep_compiled(cache.absolute())
    return run_dir


def runner_beside(run_dir: Path) -> Runner:
    """A runner whose runs are beside `run_dir`, where its ancestors are."""
    return Runner(shown(run_dir.parent))


def check_link(link: Path | None):
    """Raises: UserError, before any work, if the link cannot be made."""
    if link is not None and not link.is_symlink() and link.exists():
        raise UserError(f"--link {link}: this exists already and is not a link")
    if link is not None and not link.absolute().parent.is_dir():
        raise UserError(f"--link {link}: there is no folder {link.absolute().parent}")


def finish(runner: Runner, run_dir: Path, link: Path | None):
    """Makes the link, if any, and prints, as the last line, what to type after --run."""
    if link is not None:
        temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
        temporary.symlink_to(run_dir.resolve(), target_is_directory=True)
        os.replace(temporary, link)
    runner.console.say(str(link or shown(run_dir)))
