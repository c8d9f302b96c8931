"""Named settings of a whole experiment: model, vocabulary, training, retraining and search."""

from seq2slim.recipes.choice import typed, typed_recipe
from seq2slim.recipes.description import described, described_distillation
from seq2slim.recipes.distillation import DISTILLATION_RECIPES, DistillationRecipe, DistillationRecipeName
from seq2slim.recipes.recipe import Recipe, adam
from seq2slim.recipes.translation import RECIPES, RecipeName, closest_recipe

__all__ = [
    "DISTILLATION_RECIPES",
    "RECIPES",
    "DistillationRecipe",
    "DistillationRecipeName",
    "Recipe",
    "RecipeName",
    "adam",
    "closest_recipe",
    "described",
    "described_distillation",
    "typed",
    "typed_recipe",
]
