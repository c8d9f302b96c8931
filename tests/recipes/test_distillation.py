"""Sizes of the students of distillation recipes."""

from dataclasses import replace

from seq2slim.recipes.distillation import DISTILLATION_RECIPES, equal_size, weights_of


def test_the_student_is_at_most_a_quarter_of_its_teacher_and_the_small_one_a_fifth_of_it():
    # The paper's own student is only 2.6 times smaller (221 / 84.8), and that of the toy 3.8 times.
    for name, times in (("base", 4), ("kim2016", 2.6), ("tiny", 3.5)):
        recipe = DISTILLATION_RECIPES[name]
        words = recipe.teacher.vocabulary
        teacher, student = (weights_of(options, words) for options in (recipe.teacher.model, recipe.student))
        assert student <= teacher / times
    recipe = DISTILLATION_RECIPES["base"]
    words = recipe.teacher.vocabulary
    assert (words.source_size, words.size) == (8000, 4000)
    student = weights_of(recipe.student, words)
    assert student - weights_of(recipe.student, replace(words, source_size=7000)) == 1000 * 120  # both sides count
    found = equal_size(recipe.student, round(0.2 * student), words)
    wider = replace(found, units=found.units + 2)
    assert weights_of(found, words) <= round(0.2 * student) < weights_of(wider, words)
