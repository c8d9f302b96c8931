"""Damaged token ids are found and made again."""

from dataclasses import dataclass
from io import StringIO
from typing import ClassVar

import pytest
from rich.console import Console as RichConsole

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.errors import Damaged
from seq2slim.inference import text_files
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage
from seq2slim.stages.text import Text


@dataclass(frozen=True)
class Tokens(Stage):
    """How many tokens the training sources of a text have."""

    kind: ClassVar[str] = "tokens"
    parent: Text

    def run(self, run_dir, context):
        return {"tokens": len(text_files.tokenised(context.run_dir(self.parent))["train"].source.ids)}


def test_token_ids_with_a_flipped_bit_are_found_and_made_anew(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).write_text("a b\nb c\n")
    pair = (str(tmp_path / "x"), str(tmp_path / "y"))
    text = Text(CorpusConfig("text", pair, pair, pair), VocabularyConfig("words", 10))
    console = Console(RichConsole(file=StringIO(), width=100))
    (run_dir,) = Runner(tmp_path / "runs", console).run(text)
    victim = run_dir / text_files.TOKENISED / "train.source.ids.npy"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    what_to_do = r"remove .*done\.json and run its experiment again"
    with pytest.raises(Damaged, match=rf"{victim.name} has changed .*: {what_to_do}"):
        Runner(tmp_path / "runs", console).run(Tokens(text))
    runner = Runner(tmp_path / "runs", console)
    runner.run(Tokens(text))
    assert runner.result(Tokens(text)) == {"tokens": 4}
    assert victim.read_bytes() == whole
