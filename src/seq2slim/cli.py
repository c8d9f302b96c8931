"""The command line: `python -m seq2slim experiments`, `python -m seq2slim run NAME [options]`.

An experiment is a module of the top-level folder experiments/ of the working directory. Its docstring begins with its
claim; it has
    Config                    a frozen dataclass, all fields with defaults: its options, by dotted names
    main(config, runner)      runs stages (`runner.run`), prints tables; `runner.options` holds the flags
    smoke(config) -> Config   the version of `config` for --smoke
    start(arguments)          optional: the Config whose fields are the defaults, where one option decides others
"""

import ast
import dataclasses
import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim.pipeline.console import Console
from seq2slim.pipeline.runner import Runner, RunOptions, runs_folder

EXPERIMENTS = "experiments"
PROGRAM = "python -m seq2slim"


class UsageError(Exception):
    """What was typed cannot be done; the message says what can."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 130 after Ctrl-C, 2 after one line of what the user can mend.

    That is a UsageError, any OSError, and any error raised by a `raise` of this project, whose message is written for
    people. Errors from elsewhere keep their traceback, and with SEQ2SLIM_TRACEBACK=1 all do.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        if command in ("-h", "--help"):
            print(_usage())
        elif command in COMMANDS:
            COMMANDS[command](rest)
        else:
            raise UsageError(f"no command {command!r}; {_nearest(command, COMMANDS)}")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read us has gone; flushing at exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("SEQ2SLIM_TRACEBACK") or not _meant_for_people(error):
            raise
        print(f"seq2slim: {error}", file=sys.stderr)
        return 2
    return 0


def list_experiments(arguments: Sequence[str]):
    """lists the experiments with their claims"""
    if arguments:
        raise UsageError(f"experiments takes no arguments, got {' '.join(arguments)!r}")
    claims = _claims()
    width = max(map(len, claims), default=0)
    for name, claim in claims.items():
        print(f"{name:{width}}  {claim}")


def run_experiment(arguments: Sequence[str]):
    """runs one: run NAME [--smoke] [--publish] [--use-published] [options]; run NAME --help lists the options"""
    claims = _claims()
    if not arguments or arguments[0].startswith("-"):
        raise UsageError(f"run which experiment? There are: {', '.join(claims)}")
    name, *rest = arguments
    if name not in claims:
        raise UsageError(f"no experiment {name!r}; {_nearest(name, claims)}")
    runs = runs_folder().absolute()
    _keep_compiled(runs / "xla-cache")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = importlib.import_module(f"{EXPERIMENTS}.{name}")
    default = module.start(rest) if hasattr(module, "start") else module.Config()
    if "--smoke" in rest:
        default = module.smoke(default)
    config, options = _parsed(name, module.__doc__, default, rest)
    if options.use_published and not getattr(module, "TAKES_PUBLISHED_ROWS", False):
        raise UsageError(f"{name} computes every row: it does not take --use-published")
    if options.smoke and options.publish:
        raise UsageError("--smoke and --publish exclude each other: SMOKE rows are never published")
    module.main(config, Runner(runs, Console(), options))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {"experiments": list_experiments, "run": run_experiment}


def _parsed(name: str, doc: str, default, arguments: Sequence[str]):
    """(config, RunOptions) from what follows the name; exits with 2, naming the nearest, at an unknown option."""
    fields = [
        ("options", Annotated[RunOptions, tyro.conf.arg(name=""), tyro.conf.FlagCreatePairsOff], RunOptions()),
        ("config", Annotated[type(default), tyro.conf.arg(name="")], default),
    ]
    both = dataclasses.make_dataclass("Arguments", fields, frozen=True)
    parsed = tyro.cli(both, prog=f"{PROGRAM} run {name}", description=doc, args=list(arguments))
    return parsed.config, parsed.options


def _claims() -> dict[str, str]:
    """Name -> first line of the docstring, of the modules in experiments/ with `Config` and `main`; none imported."""
    folder = Path(EXPERIMENTS)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {EXPERIMENTS}/ in {Path.cwd()}; run this from the root of the project")
    claims = {}
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            claims[path.stem] = f"(cannot be read: {error.msg}, line {error.lineno})"
            continue
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        if {"Config", "main"} <= defined:
            claims[path.stem] = (ast.get_docstring(tree) or "(no docstring)").splitlines()[0]
    return claims


def _keep_compiled(folder: Path):
    """Switches on JAX's persistent compilation cache: by the environment, as jax, which reads it, is imported later."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _meant_for_people(error: Exception) -> bool:
    if isinstance(error, UsageError | OSError):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    ours = (str(Path(__file__).parent), str(Path(EXPERIMENTS).absolute()))
    return bool(frames) and frames[-1].filename.startswith(ours) and (frames[-1].line or "").startswith("raise")


def _nearest(name: str, names) -> str:
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(names)}"


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"{name:{width}}  {command.__doc__}" for name, command in COMMANDS.items()]
    return f"usage: {PROGRAM} COMMAND\n\n" + "\n".join(lines)
