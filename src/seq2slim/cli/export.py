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

DESCRIPTION = """Writes a model as one sparse file, with its configuration and vocabularies: all that translating takes.

    python -m seq2slim export runs/retrain-... --codec int8 -o model.slim
    python -m seq2slim translate --model model.slim < in.txt > out.txt"""


@dataclass(frozen=True)
class Options:
    """What is written.

    Attributes:
      run: folder of a trained, pruned or retrained model.
      output: the file; one of that name is replaced.
      codec: of the weights that are left: float32 loses nothing, float16 half of the digits; int8 has 256 steps to a
        row; codebook256 and codebook16 so many values (k-means) to a matrix.
    """

    run: Annotated[Path, tyro.conf.Positional]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    codec: Literal["float32", "float16", "int8", "codebook256", "codebook16"] = "float32"


def run(arguments: Sequence[str]):
    """Writes the file and says how large it is."""
    (options,) = parse("export", DESCRIPTION, arguments, Options)
    run_dir = find_model_run(options.run)
    if not options.output.absolute().parent.is_dir():
        raise UserError(f"--output {options.output}: there is no folder {options.output.absolute().parent}")
    size = export(run_dir, options.output, options.codec)
    print(f"{options.output}: {size:,} bytes")
