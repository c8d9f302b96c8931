"""`export`: a model as one small file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from seq2slim.cli.options import parse
from seq2slim.cli.runs import find_model_run
from seq2slim.errors import UserError
from seq2slim.inference.export import export
from seq2slim.storage import CODECS

DESCRIPTION = """Writes a model as one sparse file, with its configuration and vocabularies: all that translation needs.

    python -m seq2slim export runs/retrain-... --codec int8 -o model.slim
    python -m seq2slim translate --model model.slim < in.txt > out.txt"""


@dataclass(frozen=True)
class Options:
    """Options of export.

    Attributes:
      run: run directory of a trained, pruned or retrained model.
      output: the file; an existing one is replaced.
      codec: of the surviving weights: float32 is lossless, float16 keeps half the digits; int8 has 256 steps per row;
        codebook256 and codebook16 have that many values (k-means) per matrix.
    """

    run: Annotated[Path, tyro.conf.Positional]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    codec: Literal[*CODECS] = "float32"


def run(arguments: Sequence[str]):
    """Writes the file and prints its size."""
    (options,) = parse("export", DESCRIPTION, arguments, Options)
    run_dir = find_model_run(options.run)
    if not options.output.absolute().parent.is_dir():
        raise UserError(f"--output {options.output}: there is no folder {options.output.absolute().parent}")
    size = export(run_dir, options.output, options.codec)
    print(f"{options.output}: {size:,} bytes")
