"""The objective of a training stage: what its options and its teachers say."""

from seq2slim.distillation.top_k import TopKStore
from seq2slim.errors import UserError
from seq2slim.inference.model_files import Model, load_model
from seq2slim.runs.stage import run_name
from seq2slim.stages.words import StoreWords
from seq2slim.training.config import WordDistillationConfig
from seq2slim.training.objectives import Objective, objective_named, online_distillation, stored_distillation


def check_objective(stage):
    """Raises: UserError if the options of a training stage contradict each other, before anything has run."""
    named = stage.training.objective
    objective_named(named)
    if not stage.teachers:
        if stage.word != WordDistillationConfig():
            raise UserError("word (the weight of the teachers' distributions) needs teachers, and there are none")
        return
    if named != "nll":
        raise UserError(f"teachers are mixed with nll alone; the objective is {named}")
    if any(isinstance(teacher, StoreWords) for teacher in stage.teachers):
        if len(stage.teachers) > 1:
            raise UserError("stored words are the only teacher of a training; several teachers are stored together")
        if (stored := stage.teachers[0].text) != stage.text:
            raise UserError(f"the words stored are of {run_name(stored)}, the text is {run_name(stage.text)}")


def make_objective(stage, model: Model, context) -> Objective:
    """What a training stage minimises.

    Args:
      stage: Train or Retrain. Its `teachers` are models that run inside the step (several: the mean of their
        probabilities), or one `StoreWords` of its text. Without teachers it is the objective named in its options.
      model: the student.
    Raises: UserError if teachers and student differ in vocabularies or in the direction of the source.
    """
    training, masks = stage.training, model.masks
    if not stage.teachers:
        return objective_named(training.objective)(model.config, training, masks)
    if isinstance(stage.teachers[0], StoreWords):
        store = TopKStore(context.run_dir(stage.teachers[0]))
        return stored_distillation(model.config, training, stage.word, store.of, masks)
    text_dir = context.run_dir(stage.text)
    models = [load_model(context.run_dir(teacher), context.say, text_dir) for teacher in stage.teachers]
    for teacher, own in zip(stage.teachers, models):
        if own.reverse_source != model.reverse_source:
            raise UserError(f"{run_name(teacher)} and its student must read the source in the same direction")
    teachers = [(own.module, own.params) for own in models]
    return online_distillation(model.config, training, stage.word, teachers, masks)
