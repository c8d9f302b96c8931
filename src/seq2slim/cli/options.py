"""Command-line options from dataclasses, by tyro, and help pages that fit a screen."""

import contextlib
import dataclasses
import io
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Annotated, Any, get_type_hints

import tyro

SCREEN = 50  # lines of a help page that need no scrolling back
HELP, HELP_ALL = {"-h", "--help"}, "--help-all"


def parse(command: str, description: str, arguments: Sequence[str], *parts: Any) -> tuple:
    """One instance of each part, parsed from the arguments after the command.

    An unknown option exits with 2 and the nearest name. A help page that is longer than a screen lists the plain
    options, names the groups (fields that are dataclasses), and if need be keeps only the first paragraph of the
    description; --help-all shows everything.

    Args:
      parts: dataclasses, whose fields are options: a class, or an instance whose values are the defaults.
    """
    program, whole = f"python -m seq2slim {command}", _joined(parts)
    if asked := (HELP | {HELP_ALL}) & set(arguments):
        page = _help(whole, program, description)
        if HELP_ALL not in asked and page.count("\n") > SCREEN:
            groups = _groups(parts)
            note = f"Also, shown by {HELP_ALL}: {'; '.join(groups)}."
            shorter = _joined([_without_groups(part) for part in parts])
            page = _help(shorter, program, f"{description}\n\n{note}")
            if page.count("\n") > SCREEN:
                note = note.replace(": ", ": the rest of this text; ", 1)
                page = _help(shorter, program, f"{description.partition(chr(10) * 2)[0]}\n\n{note}")
        print(page, end="")
        raise SystemExit(0)
    parsed = tyro.cli(whole, prog=program, description=description, args=list(arguments))
    return tuple(getattr(parsed, field.name) for field in dataclasses.fields(parsed))


def _joined(parts) -> type:
    """A dataclass of all parts, without prefixes; where all booleans are False by default, they are bare flags."""
    fields = []
    for index, part in enumerate(parts):
        kind = part if isinstance(part, type) else type(part)
        field = dataclasses.field() if part is kind else dataclasses.field(default=part)
        flags = tyro.conf.FlagCreatePairsOff if _flags_alone(kind) else tyro.conf.arg(name="")
        fields.append((f"part_{index}", Annotated[kind, tyro.conf.arg(name=""), flags], field))
    return dataclasses.make_dataclass("Options", fields, frozen=True, kw_only=True)


def _flags_alone(kind: type) -> bool:
    """Whether all booleans of `kind` are False by default, so that `--no-x` would do nothing."""
    return all(field.default is False for field in dataclasses.fields(kind) if field.type in (bool, "bool"))


def _without_groups(part):
    """The same dataclass without its fields that are dataclasses."""
    kind = part if isinstance(part, type) else type(part)
    hints = get_type_hints(kind, include_extras=True)
    kept = [field for field in dataclasses.fields(kind) if not dataclasses.is_dataclass(hints[field.name])]
    fields = []
    for field in kept:
        default = field.default if part is kind else getattr(part, field.name)
        missing = default is dataclasses.MISSING
        fields.append((field.name, hints[field.name], dataclasses.field(**({} if missing else {"default": default}))))
    return dataclasses.make_dataclass(kind.__name__, fields, namespace={"__doc__": kind.__doc__}, kw_only=True)


def _groups(parts) -> list[str]:
    """The groups of all parts, written as "--model.* (preset, layers, ...)"."""
    kinds = [part if isinstance(part, type) else type(part) for part in parts]
    found = []
    for kind in kinds:
        for name, hint in get_type_hints(kind).items():
            if dataclasses.is_dataclass(hint):
                inner = ", ".join(field.name.replace("_", "-") for field in dataclasses.fields(hint))
                found.append(f"--{name.replace('_', '-')}.* ({inner})")
    return found


def _help(kind: type, program: str, description: str) -> str:
    """The help page of tyro, with long lines wrapped and without "default: None"."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page), contextlib.suppress(SystemExit):
        tyro.cli(kind, prog=program, description=description, args=["--help"])
    text = re.sub(r"\s*\(default:\s+None\)", "", page.getvalue())
    for none in (r"()\{None\}\|(\S+)", r"(\{)None,(\S+)"):  # the text after it keeps its column
        text = re.sub(none, lambda found: (found[1] + found[2]).ljust(len(found[0])), text)
    width = min(shutil.get_terminal_size().columns, 120)
    lines = []
    for line in text.splitlines():
        wrapped = [line.rstrip()] if line.startswith(" ") else textwrap.wrap(line, width) or [""]
        lines += wrapped if lines[-1:] != [""] or wrapped != [""] else []
    return "\n".join(lines).rstrip() + "\n"
