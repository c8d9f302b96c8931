"""Named settings: what goes with a model, from its vocabulary to the retraining of what pruning leaves."""

from seq2slim.recipes.choice import typed, typed_recipe
from seq2slim.recipes.distillation import DISTILLATION_RECIPES, DistillationRecipe
from seq2slim.recipes.recipe import Recipe, adam
from seq2slim.recipes.translation import RECIPES, RecipeName, closest_recipe

__all__ = [
    "DISTILLATION_RECIPES",
    "RECIPES",
    "DistillationRecipe",
    "Recipe",
    "RecipeName",
    "adam",
    "closest_recipe",
    "typed",
    "typed_recipe",
]
