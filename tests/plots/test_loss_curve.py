"""The figure of losses shows the given curves, with named axes, and the same bytes each time."""

import matplotlib.pyplot as plt
import pytest

from seq2slim.plots import loss_curve, style

BASELINE = [(0, 9.2), (10, 3.0), (20, 2.0), (30, 2.125)]
CONTROL = [(0, 2.125), (5, 1.9), (10, 1.8)]
RETRAINED = [(0, 4.5), (5, 2.2), (10, 1.85)]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The axes, before the figure is written and closed."""
    kept = []
    monkeypatch.setattr(loss_curve, "save", lambda fig, path: kept.append(fig) or [path])
    loss_curve.loss_through_pruning(BASELINE, RETRAINED, CONTROL, 0.8, tmp_path / "loss")
    (axes,) = kept[0].axes
    yield axes
    plt.close(kept[0])


def points(line):
    return [(float(x), float(y)) for x, y in line.get_xydata()]


def test_the_curves_are_those_given(drawn):
    curves = {line.get_label(): points(line) for line in drawn.lines if not line.get_label().startswith("_")}
    assert set(curves) == {"baseline", "control: dense, trained on", "80% pruned, retrained"}
    assert curves["baseline"] == BASELINE[1:]  # not the untrained model, which would flatten the rest
    # What follows on the baseline begins where it ends.
    assert curves["control: dense, trained on"] == [(30 + step, loss) for step, loss in CONTROL]
    assert curves["80% pruned, retrained"] == [(30 + step, loss) for step, loss in RETRAINED]
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in drawn.lines[:3]}
    assert len(styles) == 3


def test_the_moment_of_pruning_and_the_best_of_the_baseline_are_marked(drawn):
    upright, level = (points(line) for line in drawn.lines if line.get_label().startswith("_"))
    assert {x for x, _ in upright} == {30}
    assert {y for _, y in level} == {2.0}
    assert [text.get_text() for text in drawn.texts] == ["pruned: a jump to 4.50 nats", "best of the baseline 2.000"]


def test_training_and_retraining_fill_the_height_whatever_the_jump(drawn):
    low, high = drawn.get_ylim()
    shown = [loss for curve in (BASELINE[1:], CONTROL, RETRAINED[1:]) for _, loss in curve]
    assert low < min(shown)
    assert max(shown) < high < 1.3 * max(shown)


def test_labels_are_readable_and_have_units(drawn):
    assert drawn.get_xlabel() == "training steps"
    assert drawn.get_ylabel() == "validation loss (nats per token)"
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == [
        line.get_label() for line in drawn.lines if not line.get_label().startswith("_")
    ]
    texts = [drawn.xaxis.label, drawn.yaxis.label, *drawn.texts, *drawn.get_legend().get_texts()]
    assert min(text.get_fontsize() for text in texts) >= 7
    # Nothing lies outside of the figure, and nothing of the two notes on the other.
    renderer = drawn.figure.canvas.get_renderer()
    drawn.figure.draw(renderer)
    whole = drawn.figure.bbox
    for text in texts:
        box = text.get_window_extent(renderer)
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1, text
    assert not drawn.texts[0].get_window_extent(renderer).overlaps(drawn.texts[1].get_window_extent(renderer))


def test_a_sparsity_is_named_exactly(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(loss_curve, "save", lambda fig, path: kept.append(fig) or [path])
    loss_curve.loss_through_pruning(BASELINE, RETRAINED, CONTROL, 0.995, tmp_path / "loss")
    assert "99.5% pruned, retrained" in {line.get_label() for line in kept[0].axes[0].lines}
    plt.close(kept[0])


def test_written_twice_the_bytes_are_the_same_and_others_for_other_curves(tmp_path):
    files = [
        loss_curve.loss_through_pruning(BASELINE, retrained, CONTROL, 0.8, tmp_path / name / "loss")
        for name, retrained in (("one", RETRAINED), ("two", RETRAINED), ("three", RETRAINED[:2]))
    ]
    assert [path.name for path in files[0]] == ["loss.svg", "loss.png"]
    for one, two, three in zip(*files):
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes() != three.read_bytes()
    assert not plt.get_fignums()  # all closed


def test_lines_are_told_apart_without_colour():
    assert len({(line["linestyle"], line.get("marker")) for line in style.LINES}) == len(style.LINES)


def test_losses_of_runs_leave_out_the_untrained_model(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(loss_curve, "save", lambda fig, path: kept.append(fig) or [path])
    curves = {"control": [(0, 9.0), (5, 3.0), (10, 2.0)], "gradual 80%": [(0, 9.1), (5, 3.5), (10, 2.2)]}
    loss_curve.losses_of_runs(curves, tmp_path / "loss")
    (axes,) = kept[0].axes
    drawn = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata())) for line in axes.get_lines()}
    assert drawn == {label: curve[1:] for label, curve in curves.items()}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(curves)
