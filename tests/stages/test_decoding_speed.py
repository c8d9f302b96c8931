"""The decode stage against a search in memory over the same batches: writing the corpus costs next to nothing."""

import shutil
import statistics
import time

import jax
import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model
from seq2slim.inference.search import make_search
from seq2slim.inference.teacher import Teacher, decode_corpus
from seq2slim.models import ModelOptions, init_params
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Context, Runner
from seq2slim.stages.text import Text

SEARCH = SearchConfig(beam=5)
ROUNDS = 5


@pytest.mark.slow  # not for its length: it reads the clock, and the machine of the quick tests may be busy
def test_the_stage_is_nearly_as_fast_as_a_search_in_memory(tmp_path, capsys):
    """A small model of random numbers, which never ends a sentence early: 1,000 sentences, 2,000 words."""
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{n}" for n in rng.integers(0, 2000, rng.integers(4, 20))) for _ in range(1000)]
    (tmp_path / "lines").write_text("".join(f"{line}\n" for line in lines))
    pair = (str(tmp_path / "lines"),) * 2
    text = Text(CorpusConfig("text", pair, pair, pair), VocabularyConfig("words", 2000))
    runner = Runner(tmp_path / "runs", Console())
    runner.run(text)
    split, (_, vocabulary) = (
        text_files.tokenised(runner.run_dir(text))["train"],
        text_files.vocabularies(runner.run_dir(text)),
    )
    config = ModelOptions("student").build(len(vocabulary), len(vocabulary))
    model = Model(config, jax.jit(lambda key: init_params(config, key))(jax.random.key(0)), None, False)
    search, context = make_search(model, SEARCH), Context(runner, text)
    batches = batching.BatchConfig(SEARCH.batch_size, model.reverse_source)

    def in_memory():
        return sum(1 for _ in search_lines(search, batching.evaluation_batches(split, batches, targets=False)))

    def staged():
        run_dir = tmp_path / "out"
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir()
        rows, teacher = np.arange(len(split)), Teacher([model], vocabulary, ["none"])
        return decode_corpus(run_dir, run_dir / "scratch", teacher, split, rows, lines, SEARCH, {}, context)["decoded"]

    seconds = {in_memory: [], staged: []}
    for round_ in range(ROUNDS + 1):  # the first one compiles
        for way, times in seconds.items():
            start = time.perf_counter()
            assert way() == len(lines)
            if round_:
                times.append(time.perf_counter() - start)
    ratio = statistics.median(seconds[in_memory]) / statistics.median(seconds[staged])
    with capsys.disabled():
        print(f"\nthe decode stage runs at {ratio:.1%} of a search in memory")
    assert ratio >= 0.9
