"""Unknown words are copied from the right source position, in either reading order."""

import numpy as np
import pytest

from seq2slim.decoding.unknown_words import replace_unknown_words, source_index

SOURCE = ["der", "Zug", "nach", "Ulm"]


@pytest.mark.parametrize("width", [4, 7])
@pytest.mark.parametrize("backwards", [True, False])
def test_source_index_undoes_the_padding(width, backwards):
    padding = ["<pad>"] * (width - len(SOURCE))
    row = padding + SOURCE[::-1] if backwards else SOURCE + padding
    index = source_index(np.arange(width), len(SOURCE), width, reversed_source=backwards)
    assert [SOURCE[i] if i >= 0 else "<pad>" for i in index] == row


@pytest.mark.parametrize("backwards", [True, False])
def test_source_index_outside(backwards):
    # -1 is what a BeamResult holds after the end of a hypothesis
    assert source_index(np.array([-1, 7, 99]), 4, 7, reversed_source=backwards).tolist() == [-1, -1, -1]
    with pytest.raises(ValueError, match="5 is more than the padded length 4"):
        source_index(np.array([0]), 5, 4, reversed_source=backwards)


def test_replaces_unknown_tokens_only():
    tokens = ["the", "<unk>", "to", "<unk>", "<unk>"]
    unknown, aligned = [False, True, False, True, True], [0, 1, 2, 3, -1]
    assert replace_unknown_words(tokens, unknown, aligned, SOURCE) == ["the", "Zug", "to", "Ulm", "<unk>"]
    dictionary = {"Zug": "train", "der": "no"}
    assert replace_unknown_words(tokens, unknown, aligned, SOURCE, dictionary) == ["the", "train", "to", "Ulm", "<unk>"]
    assert replace_unknown_words([], [], [], SOURCE) == []
    with pytest.raises(ValueError, match="2, 1 and 1"):
        replace_unknown_words(["a", "b"], [True], [0], SOURCE)
