"""The Python API of a trained model: batches change no translation, and options that cannot be are refused."""

import pytest

import seq2slim


@pytest.fixture(scope="module")
def model(toy):
    """The same model by the Python API, searching as by default."""
    return seq2slim.load(toy.run_dirs["retrained"])


@pytest.mark.parametrize(("wrong", "message"), [("dictionry", "did you mean 'dictionary'"), (True, "got True")])
def test_what_replaces_unknown_words_is_one_of_three(model, wrong, message):
    with pytest.raises(ValueError, match=message):
        model.translate(["a b"], replace_unknown=wrong)


def test_neither_neighbours_nor_windows_change_a_translation(model, toy):
    """Each line alone, and all in windows of several sizes."""
    lines = [*toy.lines("test", "letters")[:9], "", "a", "a b c d e f g h i j k l"]
    search = model.configured(beam=2)
    alone = [next(model.stream([line], search)) for line in lines]
    for window in (1, 5, 100):
        assert list(model.stream(iter(lines), search, window=window)) == alone


def test_a_string_in_place_of_a_list_is_refused(model):
    with pytest.raises(TypeError, match="give a list of strings"):
        model.translate("a b")
