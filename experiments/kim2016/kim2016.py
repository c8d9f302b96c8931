"""A student learns more from its teacher's translations than from people's, and can be pruned too (Kim & Rush 2016).

    make experiment EXP=kim2016                      # the Bible: hours on 2 cores
    make experiment EXP=kim2016 SMOKE=1              # a toy language, in about two minutes
    make experiment EXP=kim2016 ARGS="--rows main --seeds 1"         # baseline, Seq-KD, Seq-KD + Seq-Inter alone
    make experiment EXP=kim2016 ARGS="--corpus.name text \\
        --corpus.train A.en A.de --corpus.valid B.en B.de --corpus.test C.en C.de --title multi30k-en-de"

Rows: the teacher, and fine-tuned on Seq-Inter | students: the baseline, Word-KD, Seq-KD, each also with Seq-Inter;
Seq-KD with Word-KD; all three | Seq-KD + Seq-Inter pruned, retrained on Seq-KD and fine-tuned on Seq-Inter (0% is the
dense student trained further for as long) | a dense student as small as the one pruned 80%, trained for as long. With
`--jackknife K` also Seq-KD and Seq-KD + Seq-Inter from K teachers, each of which translates the part of train that it
was not trained on.
Settings (--recipe base): vocabulary unigram 8,000 | 4,000, sentences up to 50 tokens; teacher LSTM 1 x 384,
bidirectional, general attention, input feeding, dropout 0.3, adam 0.002 (cosine) x 9 epochs of batch 64, label
smoothing 0.1; student LSTM 1 x 120, bidirectional, general attention, input feeding, dropout 0.2, adam 0.005 (cosine) x
10 epochs of batch 64, label smoothing 0.1; Seq-Inter adam 0.0005 (cosine) x 2 epochs of batch 64, label smoothing 0.1,
from the 10 best; Word-KD alpha 0.5; retraining adam 0.007 (cosine) x 8 epochs of batch 64, dropout by density, label
smoothing 0.1, then Seq-Inter adam 0.0005 (cosine) x 2 epochs of batch 64, dropout by density, label smoothing 0.1; beam
5, length penalty 1.
Expected, as in the paper: Seq-KD lifts greedy search above the baseline's beam, perplexity on references rises, p(w*)
rises by an order of magnitude; 80% can be pruned for half a point. Where the teacher has memorised its training
targets (train BLEU above 1.5 times valid) its output teaches little, and the jackknife is the fair comparison.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from experiments import report
from experiments.kim2016 import report as kim2016_report
from experiments.kim2016.report import BASELINE, BEST, NAME, SEQ, TEACHER
from seq2slim.data.corpora import CorpusConfig
from seq2slim.recipes import DISTILLATION_RECIPES, DistillationRecipe, DistillationRecipeName, typed_recipe
from seq2slim.recipes.distillation import equal_size, weights_of
from seq2slim.runs import results
from seq2slim.runs.stage import Stage, differing
from seq2slim.stages.decode import Decode, Join
from seq2slim.stages.evaluate import Evaluate
from seq2slim.stages.measure import Memorisation, Mode, Speed
from seq2slim.stages.prune import Prune
from seq2slim.stages.relabel import HeldOut, RelabelledText, Select
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.stages.words import StoreWords

MAIN = (BASELINE, SEQ, BEST)  # trained for every seed


@dataclass(frozen=True)
class Config:
    """The options of kim2016.

    Attributes:
      recipe: defaults of the settings.
      settings: teacher, student, their training, search; by default those of the recipe.
      corpus: parallel text.
      rows: all; main: the teacher and, for every seed, baseline, Seq-KD and Seq-KD + Seq-Inter; pruned: main and the
        pruned students.
      seeds: number of baseline, Seq-KD and Seq-KD + Seq-Inter students; all other rows have the first seed.
      sparsities: fractions pruned from the first Seq-KD + Seq-Inter student.
      top_k: number of stored words per position for Word-KD; 0 runs the teacher beside the student instead.
      smoothing: of the sentence-BLEU that Seq-Inter selects by.
      jackknife: number of additional teachers, each decoding the part it was not trained on; 0 for none.
      split: split to translate.
      tokenize: sacreBLEU's tokenizer; "none" where the text is tokenised.
      rounds: of timing.
      title: name of the corpus in the report; by default its own name, or the place of its files.
      seed: of the teacher; students take the next ones.
    """

    recipe: DistillationRecipeName = "base"
    settings: DistillationRecipe = DISTILLATION_RECIPES["base"]
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    rows: Literal["all", "main", "pruned"] = "all"
    seeds: int = 3
    sparsities: tuple[float, ...] = (0.0, 0.5, 0.8, 0.85, 0.9)
    top_k: int = 0
    smoothing: Literal["halving", "sacrebleu"] = "halving"
    jackknife: int = 0
    split: Literal["valid", "test"] = "test"
    tokenize: Literal["13a", "none"] = "13a"
    rounds: int = 3
    title: str = ""
    seed: int = 1


def start(arguments: Sequence[str]) -> Config:
    """The default options, with the settings of the recipe that the arguments name."""
    return Config(**typed_recipe(arguments, DISTILLATION_RECIPES))


def smoke(config: Config) -> Config:
    """The same on the toy language: one seed, two sparsities."""
    toy = dict(recipe="tiny", settings=DISTILLATION_RECIPES["tiny"], corpus=CorpusConfig("reverse"))
    return replace(config, **toy, seeds=1, sparsities=(0.0, 0.8), rounds=1)


def models(config: Config) -> dict[tuple[str, int], Stage]:
    """(label, seed) -> model, in the order of the report."""
    recipe, first = config.settings, config.seed + 1
    teacher, found = teacher_of(config), {}
    text = teacher.text
    seq, inter = relabelled(config, text, (teacher,))

    def student(on, seed=first, word=(), options=recipe.student) -> Train:
        return Train(on, options, recipe.training, recipe.teacher.reverse_source, seed, teachers=word, word=share(word))

    def tuned(model, on, seed=first, word=(), training=recipe.tuning) -> Retrain:
        return Retrain(model, training, seed + 1000, on, word, share(word))

    def share(word):
        return recipe.word if word else type(recipe.word)()

    def words(on) -> tuple[Stage, ...]:
        return (StoreWords(on, (teacher,), config.top_k),) if config.top_k else (teacher,)

    found[TEACHER, config.seed] = teacher
    if config.rows == "all":
        found["teacher + Seq-Inter", config.seed] = tuned(teacher, inter)
    for seed in range(first, first + config.seeds):
        found[BASELINE, seed] = student(text, seed)
        found[SEQ, seed] = student(seq, seed)
        found[BEST, seed] = tuned(found[SEQ, seed], inter, seed)
    if config.jackknife:
        folded, folded_inter = relabelled(config, text, held_out_teachers(config, text))
        found["Seq-KD, jackknifed", first] = student(folded)
        found["Seq-KD + Seq-Inter, jackknifed", first] = tuned(student(folded), folded_inter)
    if config.rows == "all":
        found["Word-KD", first] = student(text, word=words(text))
        found["student + Seq-Inter", first] = tuned(found[BASELINE, first], inter)
        found["Word-KD + Seq-Inter", first] = tuned(found["Word-KD", first], inter)
        found["Seq-KD + Word-KD", first] = student(seq, word=words(seq))
        found["Seq-KD + Seq-Inter + Word-KD", first] = tuned(found["Seq-KD + Word-KD", first], inter, word=words(inter))

    def continued(model) -> Retrain:
        return tuned(Retrain(model, recipe.retraining, first + 2000, seq), inter, training=recipe.retuning)

    for sparsity in config.sparsities if config.rows != "main" else ():
        found[f"pruned {100 * sparsity:g}%", first] = continued(Prune(found[BEST, first], "class_blind", sparsity))
    if config.rows == "all":  # trained for as long as the student it is compared with
        small = tuned(student(seq, options=smaller(config)), inter)
        found["dense, as small as pruned 80%", first] = continued(small)
    return found


def teacher_of(config: Config) -> Train:
    """The teacher, on the whole text."""
    recipe = config.settings.teacher
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    return Train(text, recipe.model, recipe.training, recipe.reverse_source, config.seed)


def relabelled(config: Config, text: Text, teachers: Sequence[Train]) -> tuple[RelabelledText, RelabelledText]:
    """The text with the teacher's translations (Seq-KD), and with those nearest to the references (Seq-Inter).

    Several teachers are a jackknife: each translates the part that it was not trained on.
    """
    decoded = []
    for beam in (config.settings.teacher.search.beam, config.settings.inter_beam):
        search = replace(config.settings.teacher.search, beam=beam)
        parts = tuple(Decode(text, (own,), search, len(teachers), fold) for fold, own in enumerate(teachers))
        decoded.append(Join(parts) if len(parts) > 1 else parts[0])
    return RelabelledText(decoded[0]), RelabelledText(Select(decoded[1], config.smoothing, config.tokenize))


def held_out_teachers(config: Config, text: Text) -> list[Train]:
    """Teachers with the same settings, each trained without one fold."""
    folds = config.jackknife
    return [replace(teacher_of(config), text=RelabelledText(HeldOut(text, folds, fold))) for fold in range(folds)]


def smaller(config: Config):
    """Model of a dense student with as many weights as the student has after pruning 80%."""
    recipe = config.settings
    words = recipe.teacher.vocabulary
    return equal_size(recipe.student, round(0.2 * weights_of(recipe.student, words)), words)


def main(config: Config, runner):
    """Trains, decodes, distils, prunes and evaluates; writes report, rows and figure."""
    recipe, split = config.settings, config.split
    made = models(config)
    evaluated = {key: Evaluate(model, split, recipe.teacher.search, config.tokenize) for key, model in made.items()}
    modes = {key: Mode(model, split, recipe.teacher.search) for key, model in made.items()}
    memory = Memorisation(teacher_of(config), search=recipe.teacher.search, tokenize=config.tokenize)
    timed = timed_models(made)
    speed = Speed(tuple(made[key] for key in timed), split, recipe.teacher.search, config.rounds)
    runner.run([*made.values(), memory, *evaluated.values(), *modes.values(), speed])

    rates = runner.result(speed)
    at = {made[key]: index for index, key in enumerate(timed)}
    common = {"experiment": NAME, "group": group(config), "command": command(config)}
    common |= {f"memory_{name}": value for name, value in runner.result(memory).items()}
    decoded = runner.result(made[SEQ, config.seed + 1].text.targets)
    # told_*: column names of published rows
    common |= {"told_lines": decoded["decoded"], "told_cut": decoded["cut"], "inter_beam": recipe.inter_beam}
    rows = []
    for order, (key, stage) in enumerate(evaluated.items()):
        columns = common | runner.result(modes[key]) | {"order": order, "label": key[0], "seed": key[1]}
        if made[key] in at:
            columns |= {f"{name}_rate": rates[name][at[made[key]]] for name in ("greedy", "beam")}
        rows.append(report.result_row(runner, stage, **columns, seconds=report.seconds(runner, made[key])))
    stored, _ = report.store(runner, NAME, rows, {})
    runner.console.show(
        results.rich_table(kim2016_report.with_differences(rows), kim2016_report.TERMINAL_COLUMNS, title=NAME)
    )
    runner.console.say(f"BLEU greedy (K=1) and of beam {recipe.teacher.search.beam}: {rows[0]['signature']}")
    runner.console.say(kim2016_report.memory_line(rows[0]))
    for path in kim2016_report.write(stored, report.folder(runner, NAME), __doc__.splitlines()[0]):
        runner.console.say(str(path))


def timed_models(made: dict[tuple[str, int], Stage]) -> list[tuple[str, int]]:
    """The models that are timed: one per size; pruned ones are stored dense, and so as fast as their dense parent."""
    wanted = (TEACHER, *MAIN, "dense, as small as pruned 80%")
    seen: dict[str, tuple[str, int]] = {}
    for label, seed in made:
        if label in wanted:
            seen.setdefault(label, (label, seed))
    return list(seen.values())


def group(config: Config) -> str:
    """Name of one run of the experiment: a new run of the same name replaces all rows of the old one."""
    recipe = " ".join([config.recipe, *_changed(config)]).replace("--settings.", "")
    corpus = report.corpus_name(config.corpus, config.title)
    usual = Config()
    extra = [f"{config.rows} rows"] if config.rows != "all" else []
    extra += [f"top {config.top_k}"] if config.top_k else []
    extra += [value for value in (config.smoothing, config.tokenize) if value not in ("halving", "13a")]
    extra += [f"jackknife {config.jackknife}"] if config.jackknife else []
    extra += [f"pruned {_numbers(config.sparsities)}"] if config.sparsities != usual.sparsities else []
    return ", ".join([corpus, f"recipe {recipe}", config.split, f"{config.seeds} seeds from {config.seed}", *extra])


def _changed(config: Config) -> list[str]:
    """The settings that differ from the recipe, as they are typed."""
    return report.typed(differing(config.settings, DISTILLATION_RECIPES[config.recipe]), "--settings.")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def command(config: Config) -> str:
    """The command of this run; the user fills in the paths of a `text` corpus."""
    names = ("recipe", "rows", "seeds", "top_k", "smoothing", "jackknife", "split", "tokenize", "rounds", "seed")
    options = [f"--{name.replace('_', '-')} {getattr(config, name)}" for name in names]
    options += [f"--sparsities {_numbers(config.sparsities)}", *report.typed_corpus(config.corpus), *_changed(config)]
    if config.title:
        options.append(f"--title {shlex.quote(config.title)}")
    return f'make experiment EXP={NAME} ARGS="{" ".join(options)}"'
