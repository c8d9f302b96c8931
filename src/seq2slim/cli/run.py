"""`run NAME [options]`: runs one experiment, a module in the folder experiments/ of the working directory.

The first line of its docstring is its claim. It has
    main(config, runner)      runs stages (`runner.run`), prints tables; `runner.options` holds the flags
    Config                    its options: a frozen dataclass, all fields with defaults; defined here or imported
and, here or else in the module that defines Config,
    smoke(config) -> Config   the version of `config` for --smoke
    start(arguments)          optional: the default Config, where one option decides the defaults of others
    TAKES_PUBLISHED_ROWS      optional: True where --use-published works
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from seq2slim.cli.compiled import XLA_CACHE, keep_compiled
from seq2slim.cli.experiments import find_experiments
from seq2slim.cli.options import parse
from seq2slim.errors import UserError, nearest
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner, RunOptions, runs_folder


def run(arguments: Sequence[str]):
    """Runs one experiment."""
    found = find_experiments()
    if set(arguments[:1]) & {"-h", "--help"}:
        print(f"usage: python -m seq2slim run NAME [options]\n\nNAME is one of {', '.join(found)}.")
        print("run NAME --help shows its claim and its options, run NAME --help-all everything.")
        return
    if not arguments or arguments[0].startswith("-"):
        raise UserError(f"run which experiment? There are: {', '.join(found)}")
    name, *rest = arguments
    if name not in found:
        raise UserError(f"no experiment {name!r}; {nearest(name, found)}")
    runs = runs_folder().absolute()
    keep_compiled(runs / XLA_CACHE)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = importlib.import_module(found[name].module)
    options_module = sys.modules[module.Config.__module__]  # experiments of one study share a Config
    own = {name: getattr(options_module, name, None) for name in ("start", "smoke", "TAKES_PUBLISHED_ROWS")}
    own |= {name: getattr(module, name) for name in own if hasattr(module, name)}
    default = own["start"](rest) if own["start"] else module.Config()
    if "--smoke" in rest:
        default = own["smoke"](default)
    options, config = parse(f"run {name}", module.__doc__, rest, RunOptions(), default)
    if options.use_published and not own["TAKES_PUBLISHED_ROWS"]:
        raise UserError(f"{name} computes every row: it does not take --use-published")
    if options.smoke and options.publish:
        raise UserError("--smoke and --publish exclude each other: SMOKE rows are never published")
    module.main(config, Runner(runs, Console(), options))
