"""A student learns more from its teacher's translations than from people's, and can be pruned too (Kim & Rush 2016).

    make experiment EXP=kim2016                      # the Bible: hours on 2 cores
    make experiment EXP=kim2016 SMOKE=1              # a toy language, in about two minutes
    make experiment EXP=kim2016 ARGS="--rows main --seeds 1"         # baseline, Seq-KD, Seq-KD + Seq-Inter alone
    make experiment EXP=kim2016 ARGS="--corpus.name text \\
        --corpus.train A.en A.de --corpus.valid B.en B.de --corpus.test C.en C.de --title multi30k-en-de"

Rows: the teacher, and fine-tuned on Seq-Inter | students: the baseline, Word-KD, Seq-KD, each also with Seq-Inter;
Seq-KD with Word-KD; all three | Seq-KD + Seq-Inter pruned, retrained on Seq-KD and fine-tuned on Seq-Inter (0% is the
dense student trained on for as long) | a dense student as small as the one pruned 80%, trained as long as that. With
`--jackknife K` Seq-KD and Seq-KD + Seq-Inter again, from K teachers of which each translates the part of train that it
has not seen.
Expected, as in the paper: Seq-KD lifts greedy search above the baseline's beam, perplexity on references rises, p(w*)
rises by an order of magnitude; 80% can be pruned for half a point. Where the teacher remembers its training targets
(train BLEU above 1.5 times valid) its output teaches little new, and the jackknife is the fair comparison.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from experiments import report
from experiments.kim2016 import report as kim2016_report
from seq2slim.data.corpora import CorpusConfig
from seq2slim.recipes.distillation import DISTILLATION_RECIPES, DistillationRecipe, equal_size, weights_of
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

TEACHER, BASELINE, SEQ, BOTH = "teacher", "student", "Seq-KD", "Seq-KD + Seq-Inter"
MAIN = (BASELINE, SEQ, BOTH)  # what is run for every seed


@dataclass(frozen=True)
class Config:
    """What kim2016 trains.

    Attributes:
      recipe: where the settings start from.
      settings: teacher, student, their training, search; by default those of the recipe.
      corpus: parallel text.
      rows: every row; the teacher and the students of every seed alone (main: baseline, Seq-KD, Seq-KD + Seq-Inter); or
        these and the pruned ones.
      seeds: of the baseline, Seq-KD and Seq-KD + Seq-Inter students; all other rows have the first seed.
      sparsities: fractions pruned from the first Seq-KD + Seq-Inter student.
      top_k: learn Word-KD from so many stored words a position; 0 has the teacher work beside the student.
      smoothing: of the sentence-BLEU that Seq-Inter chooses by.
      jackknife: so many teachers, each decoding what it has not seen, beside the one of all; 0 for none.
      split: what is translated.
      tokenize: sacreBLEU's tokenizer; "none" where the text is tokenised.
      rounds: of timing.
      title: what to call the corpus in the report; by default its name, or where its files lie.
      seed: of the teacher; students take the next ones.
    """

    recipe: Literal["base", "kim2016", "tiny"] = "base"
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
    """The defaults: settings are those of the recipe that the arguments name."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = words[words.index("--recipe") + 1 :][:1] if "--recipe" in words else []
    known = named and named[0] in DISTILLATION_RECIPES
    return Config(recipe=named[0], settings=DISTILLATION_RECIPES[named[0]]) if known else Config()


def smoke(config: Config) -> Config:
    """The same on the toy: one seed, two sparsities."""
    toy = dict(recipe="tiny", settings=DISTILLATION_RECIPES["tiny"], corpus=CorpusConfig("reverse"))
    return replace(config, **toy, seeds=1, sparsities=(0.0, 0.8), rounds=1)


def models(config: Config) -> dict[tuple[str, int], Stage]:
    """(label, seed) -> model, in the order of the report."""
    recipe, first = config.settings, config.seed + 1
    teacher, found = teacher_of(config), {}
    text = teacher.text
    seq, inter = told_by(config, text, (teacher,))

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
        found[BOTH, seed] = tuned(found[SEQ, seed], inter, seed)
    if config.jackknife:
        folded, folded_inter = told_by(config, text, held_out_teachers(config, text))
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
        found[f"pruned {100 * sparsity:g}%", first] = continued(Prune(found[BOTH, first], "class_blind", sparsity))
    if config.rows == "all":  # trained as long as what it is compared with
        small = tuned(student(seq, options=smaller(config)), inter)
        found["dense, as small as pruned 80%", first] = continued(small)
    return found


def teacher_of(config: Config) -> Train:
    """The teacher, on the text that all share."""
    recipe = config.settings.teacher
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    return Train(text, recipe.model, recipe.training, recipe.reverse_source, config.seed)


def told_by(config: Config, text: Text, teachers: Sequence[Train]) -> tuple[RelabelledText, RelabelledText]:
    """The text as the teacher tells it (Seq-KD), and as it comes nearest to the references (Seq-Inter).

    Several teachers are a jackknife: each tells what it has not seen.
    """
    told = []
    for beam in (config.settings.teacher.search.beam, config.settings.inter_beam):
        search = replace(config.settings.teacher.search, beam=beam)
        parts = tuple(Decode(text, (own,), search, len(teachers), fold) for fold, own in enumerate(teachers))
        told.append(Join(parts) if len(parts) > 1 else parts[0])
    return RelabelledText(told[0]), RelabelledText(Select(told[1], config.smoothing, config.tokenize))


def held_out_teachers(config: Config, text: Text) -> list[Train]:
    """Teachers as the one of all, each trained without one fold."""
    folds = config.jackknife
    return [replace(teacher_of(config), text=RelabelledText(HeldOut(text, folds, fold))) for fold in range(folds)]


def smaller(config: Config):
    """Options of a dense student with as many weights as 80% pruning leaves of the student."""
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
    common = {"experiment": "kim2016", "group": group(config), "command": command(config)}
    common |= {f"memory_{name}": value for name, value in runner.result(memory).items()}
    told = runner.result(made[SEQ, config.seed + 1].text.targets)
    common |= {"told_lines": told["decoded"], "told_cut": told["cut"], "inter_beam": recipe.inter_beam}
    rows = []
    for order, (key, stage) in enumerate(evaluated.items()):
        columns = common | runner.result(modes[key]) | {"order": order, "label": key[0], "seed": key[1]}
        if made[key] in at:
            columns |= {f"{name}_rate": rates[name][at[made[key]]] for name in ("greedy", "beam")}
        rows.append(report.result_row(runner, stage, **columns, seconds=report.seconds(runner, made[key])))
    stored, _ = report.store(runner, "kim2016", rows, {})
    runner.console.show(
        results.rich_table(kim2016_report.with_differences(rows), kim2016_report.TERMINAL_COLUMNS, title="kim2016")
    )
    runner.console.say(f"BLEU greedy (K=1) and of beam {recipe.teacher.search.beam}: {rows[0]['signature']}")
    runner.console.say(kim2016_report.memory_line(rows[0]))
    for path in kim2016_report.write(stored, report.folder(runner, "kim2016"), __doc__.splitlines()[0]):
        runner.console.say(str(path))


def timed_models(made: dict[tuple[str, int], Stage]) -> list[tuple[str, int]]:
    """Which models are timed: one of each size, dense and pruned alike in storage, so pruned ones are not."""
    wanted = (TEACHER, *MAIN, "dense, as small as pruned 80%")
    seen: dict[str, tuple[str, int]] = {}
    for label, seed in made:
        if label in wanted:
            seen.setdefault(label, (label, seed))
    return list(seen.values())


def group(config: Config) -> str:
    """Names one run of the experiment: rows of the same group replace each other whole."""
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
    """The settings that are not those of the recipe, as they are typed."""
    return report.typed(differing(config.settings, DISTILLATION_RECIPES[config.recipe]), "--settings.")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def command(config: Config) -> str:
    """What to type for this run; the paths of a `text` corpus are for whoever types it to fill in."""
    names = ("recipe", "rows", "seeds", "top_k", "smoothing", "jackknife", "split", "tokenize", "rounds", "seed")
    options = [f"--{name.replace('_', '-')} {getattr(config, name)}" for name in names]
    options += [f"--sparsities {_numbers(config.sparsities)}", *report.typed_corpus(config.corpus), *_changed(config)]
    if config.title:
        options.append(f"--title {shlex.quote(config.title)}")
    return f'make experiment EXP=kim2016 ARGS="{" ".join(options)}"'
