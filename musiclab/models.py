"""Recurrent networks that predict the next symbol of a song.

Every model takes ids (n_windows, n_steps), int32, and returns logits:
(n_windows, vocab_size), or (n_windows, n_steps, vocab_size) when every
step has a target.
"""

from musiclab.backend import keras
from musiclab.errors import ParameterError

TUTORIAL_UNITS = (512, 256, 128, 64, 32)
CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def _scalar(ids, vocab_size, _):
    """The tutorial's input, id / vocab_size: (n_windows, n_steps) to (n_windows, n_steps, 1)."""
    return keras.layers.Reshape((-1, 1))(keras.layers.Rescaling(1 / vocab_size)(ids))


class OneHot(keras.layers.Layer):
    """(n_windows, n_steps) -> (n_windows, n_steps, vocab_size), a single 1 in each row.

    Keras' own CategoryEncoding loses the axis of a single step.
    """

    def __init__(self, vocab_size, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size

    def call(self, ids):
        return keras.ops.one_hot(ids, self.vocab_size)


def _one_hot(ids, vocab_size, _):
    return OneHot(vocab_size, name="one_hot")(ids)


def _embedding(ids, vocab_size, dim):
    return keras.layers.Embedding(vocab_size, dim, name="embedding")(ids)


INPUTS = {"scalar": _scalar, "one_hot": _one_hot, "embedding": _embedding}


def build_model(
    vocab_size,
    *,
    cell="lstm",
    units=TUTORIAL_UNITS,
    dropout=0.2,
    inputs="scalar",
    embedding_dim=128,
    every_step=False,
):
    """Return an uncompiled Keras model: input, a stack of cells, and logits.

    The defaults are the tutorial's network, whose prose says SimpleRNN and
    whose code says LSTM: `cell` takes both.

    vocab_size: how many ids there are
    cell: "simple_rnn", "lstm" or "gru"
    units: width of each layer; dropout follows each
    inputs: "scalar" (id / vocab_size), "one_hot" or "embedding"
    every_step: give a prediction after each id, not only after the last

    Raises ParameterError for a name or number out of range.
    """
    _check_choice("cell", cell, CELLS)
    _check_choice("inputs", inputs, INPUTS)
    if not units or min(*units, embedding_dim, vocab_size - 1) < 1 or not 0 <= dropout < 1:
        raise ParameterError(
            f"no hay red con units={list(units)}, embedding_dim={embedding_dim}, "
            f"dropout={dropout} y {vocab_size} símbolos: hacen falta 2 símbolos, 1 unidad en cada "
            "capa y en el embedding, y un dropout de 0 a 1 sin llegar a 1"
        )
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = INPUTS[inputs](ids, vocab_size, embedding_dim)
    for k, n_units in enumerate(units, start=1):
        all_steps = every_step or k < len(units)
        x = CELLS[cell](n_units, return_sequences=all_steps, name=f"{cell}_{k}")(x)
        x = keras.layers.Dropout(dropout, name=f"dropout_{k}")(x)
    logits = keras.layers.Dense(vocab_size, name="logits")(x)
    return keras.Model(ids, logits, name=f"{inputs}_{cell}")


def compile_model(model, learning_rate=1e-3):
    """Give the model its loss (nats a symbol), its accuracy and Adam; return it."""
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(learning_rate),
        metrics=["accuracy"],
    )
    return model


def _check_choice(name, value, choices):
    if value not in choices:
        raise ParameterError(f"{name} es «{value}» y debe ser {', '.join(choices)}")
