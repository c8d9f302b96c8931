"""The stages of distillation on a hardly trained tiny model: decoded, stopped, resumed, chosen from, learnt from."""

import itertools
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation import teacher_corpus
from seq2slim.distillation.mode import mode_mass
from seq2slim.distillation.n_best import read_n_best
from seq2slim.distillation.top_k import TopKStore
from seq2slim.errors import StopRequested
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference import teacher as decode
from seq2slim.inference import text_files
from seq2slim.inference.distilled_text import distil_corpus, verify_corpus
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.models import ModelOptions, Seq2SeqConfig, init_params
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Context, Runner
from seq2slim.runs.stage import identity
from seq2slim.special_ids import BOS, EOS, PAD, UNK
from seq2slim.stages.decode import Decode, Join, verify_decoded
from seq2slim.stages.evaluate import Evaluate
from seq2slim.stages.measure import Memorisation, Mode, Speed
from seq2slim.stages.relabel import HeldOut, RelabelledText, Select
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.stages.words import StoreWords
from seq2slim.training.config import TrainingConfig, WordDistillationConfig

SEARCH = SearchConfig(beam=3, batch_size=4)
TRAINING = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")
FILES = (teacher_corpus.N_BEST, teacher_corpus.TARGET, teacher_corpus.MANIFEST)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return Runner(tmp_path_factory.mktemp("runs"), Console())


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """23 training pairs of up to 4 words, so all of one padded width; two of them have an empty side."""
    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    for split, size in (("train", 23), ("valid", 4), ("test", 4)):
        sources = [" ".join(rng.choice(list("abcd"), rng.integers(2, 5))) for _ in range(size)]
        targets = [source[::-1] for source in sources]
        if split == "train":
            sources[3], targets[8] = "", ""
        (folder / f"{split}.source").write_text("".join(f"{line}\n" for line in sources))
        (folder / f"{split}.target").write_text("".join(f"{line}\n" for line in targets))
    pairs = ((str(folder / f"{s}.source"), str(folder / f"{s}.target")) for s in ("train", "valid", "test"))
    return Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 20))


@pytest.fixture(scope="module")
def teacher(text, runner):
    stage = Train(text, ModelOptions("tiny", units=6, init_scale=1.0), TRAINING)
    runner.run(stage)
    return stage


@pytest.fixture(scope="module")
def decoded(text, teacher, runner):
    stage = Decode(text, (teacher,), SEARCH)
    runner.run(stage)
    return stage


class TestDecode:
    def test_it_is_what_a_search_in_memory_finds(self, runner, text, teacher, decoded):
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        vocabulary = text_files.vocabularies(runner.run_dir(text))[1]
        batches = batching.evaluation_batches(split, batching.BatchConfig(4, True), targets=False)
        found = dict(read_n_best(runner.run_dir(decoded) / teacher_corpus.N_BEST))
        assert sorted(found) == [line for line in range(23) if line not in (3, 8)]
        for line, _, result in search_lines(make_search(model, SEARCH), batches):
            assert len(found[line]) == 3
            for rank, hypothesis in enumerate(found[line]):
                words = result.tokens[rank][: result.length[rank] - 1]
                assert hypothesis.text == vocabulary.decode(words)
                assert np.float32(hypothesis.log_prob) == result.log_prob[rank]
                assert hypothesis.length == result.length[rank]
        counts = runner.result(decoded)
        assert (counts["lines"], counts["decoded"], counts["hypotheses"]) == (23, 21, 63)
        assert counts["dropped"] == 2 + counts["empty"]

    @pytest.mark.parametrize("stop_after", [1, 4])
    def test_stopped_and_resumed_it_is_the_same_and_no_shard_is_made_twice(
        self, runner, decoded, monkeypatch, tmp_path, stop_after
    ):
        monkeypatch.setattr(decode, "SHARD_BATCHES", 1)
        whole, made = runner.run_dir(decoded), []
        write = teacher_corpus.write_shard
        monkeypatch.setattr(
            teacher_corpus, "write_shard", lambda path, *rest: (made.append(path.name), write(path, *rest))
        )
        context, scratch = Context(runner, decoded), tmp_path / "scratch"
        scratch.mkdir()
        stopping = _Stopping(context, scratch, lambda: len(made) == stop_after)
        with pytest.raises(StopRequested, match="are decoded and saved"):
            decoded.run(tmp_path, stopping)
        assert not (tmp_path / teacher_corpus.MANIFEST).exists()
        decoded.run(tmp_path, _Stopping(context, scratch, lambda: False))
        assert made == [f"shard-{index:06d}" for index in range(6)]
        for name in FILES:
            assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()

    def test_the_verifier_knows_its_teacher(self, runner, text, teacher, decoded):
        context, run_dir = Context(runner, decoded), runner.run_dir(decoded)
        assert verify_decoded(decoded, run_dir, context) == []
        other = replace(teacher, seed=2)
        runner.run(other)
        found = verify_decoded(Decode(text, (other,), SEARCH), run_dir, context)
        assert len(found) == 2
        assert identity(other) in found[0]
        assert "lines come out otherwise" in found[1]

    @pytest.mark.parametrize("options", [dict(teachers=()), dict(folds=2, fold=2), dict(folds=0)])
    def test_refusals(self, decoded, options):
        with pytest.raises(ValueError, match=r"teachers|fold"):
            replace(decoded, **options)


class _Stopping:
    """A context with a scratch folder of its own that asks to stop when `when()`."""

    def __init__(self, context, scratch, when):
        self._context, self._when = context, when
        self.scratch = lambda: scratch

    def __getattr__(self, name):
        return getattr(self._context, name)

    @property
    def stop_requested(self):
        return self._when()


class TestEnsemble:
    def test_of_one_it_is_the_model_and_of_two_alike_nearly(self, runner, teacher, text):
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        (batch, *_) = batching.evaluation_batches(split, batching.BatchConfig(4, True), targets=False)
        alone, one, two = (make_search(models, SEARCH)(batch) for models in (model, [model], [model, model]))
        for a, b in zip(alone, one):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(alone.tokens, two.tokens)
        np.testing.assert_allclose(alone.log_prob, two.log_prob, rtol=1e-4)

    def test_models_must_agree(self, runner, teacher):
        model = load_model(runner.run_dir(teacher))
        with pytest.raises(ValueError, match="read the source the same way"):
            make_search([model, model._replace(reverse_source=False)], SEARCH)


def test_a_jackknife_joins_what_each_fold_was_told_by_its_own_teacher(runner, text, teacher):
    teachers = [replace(teacher, text=RelabelledText(HeldOut(text, 2, fold))) for fold in range(2)]
    parts = tuple(Decode(text, (own,), SEARCH, 2, fold) for fold, own in enumerate(teachers))
    joined = Join(parts)
    runner.run(joined)
    for fold, own in enumerate(teachers):
        seen = text_files.tokenised(runner.run_dir(own.text))["train"].lines
        assert sorted(seen) == [line for line in range(23) if line % 2 != fold and line not in (3, 8)]
    run_dirs = [runner.run_dir(part) for part in parts]
    n_best = [dict(read_n_best(run_dir / teacher_corpus.N_BEST)) for run_dir in run_dirs]
    assert list(read_n_best(runner.run_dir(joined) / teacher_corpus.N_BEST)) == sorted((n_best[0] | n_best[1]).items())
    lines = [(run_dir / teacher_corpus.TARGET).read_text().splitlines() for run_dir in run_dirs]
    expected = [lines[line % 2][line] for line in range(23)]
    assert (runner.run_dir(joined) / teacher_corpus.TARGET).read_text().splitlines() == expected
    assert runner.result(parts[0])["dropped"] == 1 + runner.result(parts[0])["empty"]  # line 8; line 3 is not asked for
    manifest = teacher_corpus.read_manifest(runner.run_dir(joined))
    assert (manifest["folds"], manifest["teachers"]) == (2, [identity(own) for own in teachers])
    with pytest.raises(ValueError, match="all folds"):
        Join(parts[:1])


@pytest.fixture(scope="module")
def told(runner, decoded):
    """(Seq-KD, Seq-Inter) as texts."""
    stages = RelabelledText(decoded), RelabelledText(Select(decoded, tokenize="none"))
    runner.run(stages)
    return stages


def test_a_retold_text_keeps_line_numbers_and_vocabularies(runner, text, decoded, told):
    plain, retold = (text_files.tokenised(runner.run_dir(stage)) for stage in (text, told[0]))
    targets = (runner.run_dir(decoded) / teacher_corpus.TARGET).read_text().splitlines()
    vocabulary = text_files.vocabularies(runner.run_dir(told[0]))[1]
    assert vocabulary.sha256 == text_files.vocabularies(runner.run_dir(text))[1].sha256
    assert set(retold["train"].lines) <= set(plain["train"].lines)
    for row, line in enumerate(retold["train"].lines):
        assert retold["train"].target[row].tolist() == vocabulary.encode(targets[line])
        own = list(plain["train"].lines).index(line)
        np.testing.assert_array_equal(retold["train"].source[row], plain["train"].source[own])
    for split in ("valid", "test"):
        np.testing.assert_array_equal(retold[split].target.ids, plain[split].target.ids)


def test_fine_tuning_starts_from_the_parent_on_another_text(runner, teacher, told):
    tuned = Retrain(teacher, TRAINING, on=told[1])
    assert tuned.text == told[1]
    assert identity(tuned) != identity(Retrain(teacher, TRAINING)) != identity(Retrain(teacher, TRAINING, on=told[0]))
    runner.run(tuned)
    assert load_model(runner.run_dir(tuned)).config == load_model(runner.run_dir(teacher)).config


class TestWords:
    def test_the_store_is_the_softmax_of_the_teacher(self, runner, text, teacher):
        stage = StoreWords(text, (teacher,), 4)
        runner.run(stage)
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        config = batching.BatchConfig(8, model.reverse_source)
        batch = next(batching.evaluation_batches(split, config))
        log_p = jax.nn.log_softmax(
            model.module.apply({"params": model.params}, batch.source, batch.target_in)
        )  # [T, B, V]
        found = TopKStore(runner.run_dir(stage)).of(batch)
        inside = (batch.target_out != PAD).T
        expected = -np.sort(-np.asarray(log_p), axis=-1)[..., :4]
        np.testing.assert_allclose(found.log_probs[inside], expected[inside], rtol=1e-4, atol=1e-5)
        own = np.take_along_axis(np.asarray(log_p), found.words, -1)
        np.testing.assert_allclose(own[inside], expected[inside], rtol=1e-4, atol=1e-5)
        assert 0 < runner.result(stage)["mass"] < 1

    def test_a_student_is_taught_online_or_from_the_store_alike(self, runner, text, teacher):
        vocabulary = len(text_files.vocabularies(runner.run_dir(text))[1])
        student = Train(text, ModelOptions("tiny", units=4), TRAINING)
        word = WordDistillationConfig(alpha=0.9)
        make_objective = [
            replace(student, teachers=teachers, word=word)
            for teachers in ((teacher,), (StoreWords(text, (teacher,), vocabulary),))
        ]
        silent = replace(student, teachers=(teacher,), word=WordDistillationConfig(alpha=0.0))
        runner.run([student, *make_objective, silent])
        plain, online, stored, untaught = (
            load_model(runner.run_dir(stage)).params for stage in (student, *make_objective, silent)
        )
        jax.tree.map(np.testing.assert_array_equal, plain, untaught)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), online, stored)
        assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (plain, online))))

    def test_refusals(self, runner, text, teacher, told):
        wrong = Train(told[0], ModelOptions("tiny", units=4), TRAINING, teachers=(StoreWords(text, (teacher,), 4),))
        with pytest.raises(ValueError, match="the words stored are of"):
            runner.run(wrong)
        with pytest.raises(ValueError, match="there are none"):
            runner.run(Train(text, ModelOptions("tiny", units=4), TRAINING, word=WordDistillationConfig(0.9)))
        with pytest.raises(ValueError, match="must read the source in the same direction"):
            runner.run(Train(text, ModelOptions("tiny", units=4), TRAINING, False, teachers=(teacher,)))


def test_the_mode_and_its_mass_are_those_of_an_exhaustive_enumeration():
    """Sources of two words and the paper's limits: 2 or 3 words and EOS, of 4 words each, 80 hypotheses in all."""
    config = Seq2SeqConfig(7, 7, layers=1, units=5, dropout=0.0, init_scale=2.0)
    model = Model(config, init_params(config, jax.random.key(3)), None, False)
    source = np.array([[4, 5], [6, 4]], np.int32)
    nothing = np.zeros((2, 0), np.int32)
    batch = batching.Batch(source, nothing, nothing, np.arange(2, dtype=np.int32))
    found = mode_mass(np.asarray(make_search(model, SearchConfig(beam=96, limits="paper"))(batch).log_prob))

    outputs = [(*words, EOS) for n in (2, 3) for words in itertools.product((UNK, 4, 5, 6), repeat=n)]
    target_in = np.array([(BOS, *words[:-1], *[PAD] * (4 - len(words))) for words in outputs], np.int32)
    modes, masses = [], []
    for row in source:
        logits = model.module.apply({"params": model.params}, np.tile(row, (80, 1)), target_in)
        log_p = np.asarray(jax.nn.log_softmax(logits), np.float64)
        own = [sum(log_p[t, n, word] for t, word in enumerate(words)) for n, words in enumerate(outputs)]
        modes.append(np.exp(max(own)))
        masses.append(np.exp(own).sum())
    assert found.mode == pytest.approx(np.mean(modes), rel=1e-4)
    assert found.n_best == pytest.approx(np.mean(masses), rel=1e-4)
    assert 0 < found.mode < found.n_best < 1


def test_the_corpus_command_writes_pairs_that_any_toolkit_can_read(runner, teacher, tmp_path):
    source = tmp_path / "some.source"
    source.write_text("a b\n\nc d a\n" + "a " * 60 + "\nb\n")
    arguments = [runner.run_dir(teacher)], source, tmp_path / "out", SEARCH, Context(runner, teacher)
    counts = distil_corpus(*arguments)
    assert (counts["lines"], counts["decoded"]) == (5, 3)
    columns = [(tmp_path / "out" / f"pairs.{name}").read_text().splitlines() for name in ("lines", "source", "target")]
    numbers = [int(number) for number in columns[0]]
    assert set(numbers) <= {1, 3, 5}
    assert columns[1] == [source.read_text().splitlines()[number - 1] for number in numbers]
    assert all(target.strip() for target in columns[2])
    assert verify_corpus(*arguments) == []
    assert not (tmp_path / "out" / "shards").exists()
    assert distil_corpus(*arguments)["decoded"] == 3  # finished already
    for other in (replace(SEARCH, beam=4), replace(SEARCH, batch_size=8), replace(SEARCH, limits="paper")):
        changed = *arguments[:3], other, arguments[4]
        with pytest.raises(ValueError, match="holds another corpus: its"):
            distil_corpus(*changed)
        assert len(verify_corpus(*changed)) == 1
    assert verify_corpus(*arguments, max_length=80) == ["its max length is 50, not 80"]


def test_a_kill_before_the_pairs_costs_nothing_and_changed_ones_are_found(runner, teacher, tmp_path, monkeypatch):
    source, out = tmp_path / "some.source", tmp_path / "out"
    source.write_text("a b\nc d a\nb\n")
    arguments = [runner.run_dir(teacher)], source, out, SEARCH, Context(runner, teacher)
    with monkeypatch.context() as patch:
        patch.setattr("seq2slim.inference.distilled_text._write_pairs", lambda *_: _raise(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            distil_corpus(*arguments)
    assert (out / "shards").exists()
    assert not (out / "pairs.target").exists()
    distil_corpus(*arguments)
    assert not (out / "shards").exists()
    whole = {name: (out / f"pairs.{name}").read_bytes() for name in ("lines", "source", "target")}
    assert whole["source"] == source.read_bytes()
    for name, content in whole.items():
        (out / f"pairs.{name}").write_bytes(content[1:])
        assert verify_corpus(*arguments) == [f"pairs.{name} is not what target.txt and the source say"]
        distil_corpus(*arguments)
        assert verify_corpus(*arguments) == []
    (out / "target.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"target\.txt has changed since it was written"):
        distil_corpus(*arguments)


def _raise(error):
    raise error


@pytest.mark.parametrize("damaged", [teacher_corpus.N_BEST, teacher_corpus.TARGET])
def test_a_damaged_teacher_corpus_is_not_learnt_from(runner, decoded, tmp_path, damaged):
    """However large it is: the mark of a finished stage vouches for small files alone."""
    run_dir = shutil.copytree(runner.run_dir(decoded), tmp_path / "decoded")
    path = run_dir / damaged
    path.write_bytes(path.read_bytes()[:-1])
    user = Select(decoded) if damaged == teacher_corpus.N_BEST else RelabelledText(decoded)
    with pytest.raises(ValueError, match=f"{damaged} has changed since it was written: remove"):
        user.run(tmp_path, _Elsewhere(Context(runner, user), run_dir))
    assert teacher_corpus.checked(runner.run_dir(decoded), damaged).exists()


class _Elsewhere:
    """A context in which the run directory of a Decode stage is another folder."""

    def __init__(self, context, run_dir):
        self._context, self._home = context, run_dir

    def __getattr__(self, name):
        return getattr(self._context, name)

    def run_dir(self, stage):
        return self._home if isinstance(stage, Decode) else self._context.run_dir(stage)


def test_mode_memory_and_speed_are_of_the_model_and_the_split_they_name(runner, text, teacher):
    """p(w*) by a search of one's own, BLEU of the two splits by `evaluate`'s, rates for each model in order."""
    model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["valid"]
    penalised = replace(SEARCH, length_penalty=LengthPenalty("gnmt", 5.0))
    config = batching.BatchConfig(4, model.reverse_source)
    found = search_lines(make_search(model, SEARCH), batching.evaluation_batches(split, config, targets=False))
    best = [np.exp(result.log_prob.astype(np.float64)) for _, _, result in found]
    stages = (
        Mode(teacher, "valid", penalised),
        Memorisation(teacher, 5, SEARCH, "none"),
        Speed((teacher,) * 2, search=SEARCH),
    )
    runner.run(stages)
    mode, memory, speed = map(runner.result, stages)
    assert mode["mode"] == pytest.approx(np.mean([own.max() for own in best]), rel=1e-4)
    assert mode["n_best_mass"] == pytest.approx(np.mean([own.sum() for own in best]), rel=1e-4)

    evaluated = Evaluate(teacher, "valid", SEARCH, "none")
    runner.run(evaluated)
    assert memory["valid_bleu"] == pytest.approx(runner.result(evaluated)["beam_bleu"], abs=0.011)
    assert {"greedy", "beam"} <= speed.keys()
    assert len(speed["greedy"]) == len(speed["beam"]) == 2
    assert min(speed["greedy"] + speed["beam"]) > 0
