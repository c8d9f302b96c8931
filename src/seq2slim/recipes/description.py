"""Recipes in words, for the docstrings of experiments: what is trained, at which size, for how long, at which rate."""

from collections.abc import Sequence

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.recipes.distillation import DistillationRecipe
from seq2slim.recipes.recipe import Recipe
from seq2slim.training.config import TrainingConfig

PARTS = ("model", "text", "training", "retraining", "search")


def described(recipe: Recipe, parts: Sequence[str] = PARTS) -> str:
    """The settings of a translation recipe that matter, as one line; `parts`: the ones that an experiment uses."""
    found = {
        "model": described_model(recipe.model),
        "text": _text(recipe),
        "training": f"training {described_training(recipe.training)}",
        "retraining": f"retraining {described_training(recipe.retraining)}",
        "search": _search(recipe.search),
    }
    return "; ".join(found[part] for part in PARTS if part in parts)


def described_distillation(recipe: DistillationRecipe) -> str:
    """The settings of a distillation recipe that matter, as one line."""
    teacher = recipe.teacher
    return (
        f"{_text(teacher)}; "
        f"teacher {described_model(teacher.model)}, {described_training(teacher.training)}; "
        f"student {described_model(recipe.student)}, {described_training(recipe.training)}; "
        f"Seq-Inter {described_training(recipe.tuning)}, from the {recipe.inter_beam} best; "
        f"Word-KD alpha {recipe.word.alpha:g}; retraining {described_training(recipe.retraining)}, "
        f"then Seq-Inter {described_training(recipe.retuning)}; {_search(teacher.search)}"
    )


def described_model(options: ModelOptions) -> str:
    """Cell, layers x units and attention of a model, as in "LSTM 2 x 256, dot attention"."""
    config = options.build(1, 1)
    parts = [f"{config.cell.upper()} {config.layers} x {config.units}"]
    parts += [f"embeddings of {config.embedding_size}"] if config.embedding_size != config.units else []
    parts += ["bidirectional"] if config.bidirectional else []
    local = " local-p" if config.attention_span == "local_p" else ""
    parts.append("no attention" if config.attention == "none" else f"{config.attention}{local} attention")
    parts += ["input feeding"] if config.input_feeding else []
    parts += [f"dropout {config.dropout:g}"] if config.dropout else []
    return ", ".join(parts)


def described_training(training: TrainingConfig) -> str:
    """Optimiser, highest rate, schedule, epochs, batch size: "adam 0.006 (cosine) x 8 epochs of batch 64"."""
    optimizer = training.optimizer
    epochs = f"{training.epochs:g} epoch{'' if training.epochs == 1 else 's'}"
    dropout = f", dropout x {training.dropout_scale:g}" if training.dropout_scale != 1 else ""
    dropout += ", dropout by density" if training.dropout_by_density else ""
    schedule = training.schedule
    when = f" after {schedule.halve_after:g} epochs" if schedule.kind == "halving" else ""
    rate = f"{optimizer.name} {optimizer.learning_rate:g} ({schedule.kind}{when})"
    smoothing = f", label smoothing {training.label_smoothing:g}" if training.label_smoothing else ""
    pruning = training.pruning
    pruned = f", pruned to {pruning.sparsity:.0%} ({pruning.schedule})" if pruning.schedule != "none" else ""
    objective = "" if training.objective == "nll" else f", {training.objective}"
    return f"{rate} x {epochs} of batch {training.rows}{dropout}{smoothing}{pruned}{objective}"


def _text(recipe: Recipe) -> str:
    order = ", source reversed" if recipe.reverse_source else ""
    return f"vocabulary {_vocabulary(recipe.vocabulary)}, sentences up to {recipe.max_length} tokens{order}"


def _vocabulary(config: VocabularyConfig) -> str:
    sizes = dict.fromkeys((config.source.size, config.size))
    return f"{config.kind} {' | '.join(f'{size:,}' for size in sizes)}{' joint' if config.joint else ''}"


def _search(search: SearchConfig) -> str:
    penalty = search.length_penalty
    return f"beam {search.beam}" + (f", length penalty {penalty.alpha:g}" if penalty.kind != "none" else "")
