"""Named models: exactly those of the papers, and ones chosen for one small machine."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

from seq2slim.errors import UserError
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.pruning import NEVER_PRUNED


def weight_classes(config: Seq2SeqConfig) -> tuple[tuple[str, str], ...]:
    """Rules from parameter paths to the classes of See et al. 2016 (fig. 4), 12 in theirs; vectors are never pruned.

    The matrices W_a and W_p of other kinds of attention belong to "attention". The vectors are the biases, v_a and v_p;
    their H weights scale whole columns of W_a and W_p.

    Returns: (glob over a path such as "encoder/layer_1/forward/kernel", class name) pairs, as
      `pruning.classes_by_rules` takes them.
    """
    layers = range(1, config.layers + 1)
    return (
        ("source_embedding/embedding", "source embedding"),
        ("target_embedding/embedding", "target embedding"),
        *((f"encoder/layer_{k}/*/kernel", f"source layer {k}") for k in layers),
        *((f"decoder/layer_{k}/kernel", f"target layer {k}") for k in layers),
        *((f"attention/{name}", "attention") for name in ("kernel", "score", "position")),
        ("attention/*_vector", NEVER_PRUNED),
        ("softmax/kernel", "softmax"),
        ("*/bias", NEVER_PRUNED),
    )


def see2016(source_vocabulary=50_000, target_vocabulary=50_000, **changes):
    """See, Luong & Manning 2016: 216,000,000 weights in 12 classes (no input feeding, as in their figure 4)."""
    return Seq2SeqConfig(source_vocabulary, target_vocabulary, **changes)


def _kim2016(source_vocabulary=50_004, target_vocabulary=50_004, **changes):
    paper = dict(attention="general", input_feeding=True, lstm_bias=True, output_bias=True, dropout=0.3)
    return Seq2SeqConfig(source_vocabulary, target_vocabulary, **(paper | changes))


def kim2016_teacher(*vocabularies, **changes):
    """Kim & Rush 2016, the 4x1000 teacher: 221,094,004 parameters at 50,004 words per side."""
    return _kim2016(*vocabularies, **changes)


def kim2016_student(*vocabularies, **changes):
    """Kim & Rush 2016, the 2x500 student: 84,814,004 parameters at 50,004 words per side."""
    return _kim2016(*vocabularies, **(dict(layers=2, units=500) | changes))


def base(source_vocabulary, target_vocabulary, **changes):
    """The headline model: at most 16M weights with 4,000 words per side.

    Bidirectional encoder, input feeding, and general attention (W_a).
    """
    chosen = dict(
        layers=1,
        units=384,
        attention="general",
        input_feeding=True,
        bidirectional=True,
        dropout=0.3,
        output_dropout=0.2,
    )
    return Seq2SeqConfig(source_vocabulary, target_vocabulary, **(chosen | changes))


def student(source_vocabulary, target_vocabulary, **changes):
    """The student of `base`: the same architecture at a third of the width, with less than a quarter of the weights.

    Less dropout, as a model this small overfits little.
    """
    return base(
        source_vocabulary,
        target_vocabulary,
        **(dict(units=120, dropout=0.2, output_dropout=0.1) | changes),
    )


def small(source_vocabulary, target_vocabulary, **changes):
    """The studies' model: the paper's architecture at 2x256, at most 8M weights with 4,000 words per side."""
    return Seq2SeqConfig(source_vocabulary, target_vocabulary, **(dict(layers=2, units=256, dropout=0.2) | changes))


def tiny(source_vocabulary, target_vocabulary, **changes):
    """For tests and smoke runs."""
    return Seq2SeqConfig(source_vocabulary, target_vocabulary, **(dict(layers=1, units=48, dropout=0.0) | changes))


PRESETS: dict[str, Callable[..., Seq2SeqConfig]] = {
    preset.__name__: preset for preset in (see2016, kim2016_teacher, kim2016_student, base, student, small, tiny)
}


@dataclass(frozen=True)
class ModelOptions:
    """A preset and changes to it (None: as in the preset); the fields are those of `Seq2SeqConfig`.

    Attributes: preset: a key of PRESETS.
    Raises: UserError for an unknown preset.
    """

    preset: Literal["see2016", "kim2016_teacher", "kim2016_student", "base", "student", "small", "tiny"] = "small"
    layers: int | None = None
    units: int | None = None
    embedding: int | None = None
    attention: Literal["dot", "general", "concat", "none"] | None = None
    input_feeding: bool | None = None
    bidirectional: bool | None = None
    lstm_bias: bool | None = None
    output_bias: bool | None = None
    dropout: float | None = None
    output_dropout: float | None = None
    init_scale: float | None = None
    cell: Literal["lstm", "gru"] | None = None
    attention_span: Literal["global", "local_p"] | None = None
    window: int | None = None
    compute_dtype: Literal["float32", "bfloat16"] | None = None

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise UserError(f"unknown preset {self.preset!r}; there are {', '.join(PRESETS)}")

    def build(self, source_vocabulary: int, target_vocabulary: int) -> Seq2SeqConfig:
        """The configuration for vocabularies of the given sizes.

        Raises: UserError if a value is out of range (see `Seq2SeqConfig`).
        """
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "preset"}
        changes = {name: value for name, value in own.items() if value is not None}
        return PRESETS[self.preset](source_vocabulary, target_vocabulary, **changes)
