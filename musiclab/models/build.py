"""Networks that predict the next symbol of a song.

Every model takes ids (n_windows, n_steps), int32, and returns logits:
(n_windows, vocab_size), or (n_windows, n_steps, vocab_size) when every
step has a target; those of a step hang only on the ids up to it.
"""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError
from musiclab.models.noise import (
    NOISES,
)
from musiclab.models.recurrent import CELLS, recurrent_layers
from musiclab.models.transformer import transformer_layers

TUTORIAL_UNITS = (512, 256, 128, 64, 32)
TRANSFORMER = "transformer"


# Inputs


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


# The one interface


def build_model(
    vocab_size,
    *,
    cell="lstm",
    units=TUTORIAL_UNITS,
    dropout=0.2,
    inputs="scalar",
    embedding_dim=128,
    every_step=False,
    bidirectional=False,
    n_heads=4,
    max_distance=32,
    noise="none",
    noise_dim=8,
    free_nats=0.2,
):
    """Return an uncompiled Keras model: input, a stack of layers, and logits.

    The defaults are the tutorial's network, whose prose says SimpleRNN and
    whose code says LSTM: `cell` takes both.

    vocab_size: how many ids there are
    cell: "simple_rnn", "lstm", "gru" or "transformer"
    units: width of each layer; dropout follows each
    inputs: "scalar" (id / vocab_size), "one_hot" or "embedding"
    every_step: give a prediction after each id, not only after the last
    bidirectional: read the window backwards too; only for one target a window
    n_heads, max_distance: of a transformer's layers, see `CausalAttention`
    noise: "none", "plain" (see `Noise`) or "vae" (see `Latent`), a vector of
        noise_dim numbers that each step gets beside its id
    free_nats: how much a VAE's vector may tell of the window, in nats a symbol

    Raises ParameterError for a name or number out of range, and for two
    settings that contradict each other.
    """
    _check_choice("cell", cell, (*CELLS, TRANSFORMER))
    _check_choice("inputs", inputs, INPUTS)
    _check_choice("noise", noise, NOISES)
    _check_sizes(vocab_size, units, dropout, embedding_dim)
    _check_transformer(cell, units, n_heads, max_distance, bidirectional)
    _check_noise(noise, noise_dim, free_nats)
    _check_targets(every_step, bidirectional, noise)
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = INPUTS[inputs](ids, vocab_size, embedding_dim)
    x = NOISES[noise](x, noise_dim, units[0], free_nats)
    if cell == TRANSFORMER:
        x = transformer_layers(x, units, dropout, n_heads, max_distance)
        x = x if every_step else x[:, -1]
    else:
        x = recurrent_layers(x, cell, units, dropout, every_step, bidirectional)
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


def _check_sizes(vocab_size, units, dropout, embedding_dim):
    if not units or min(*units, embedding_dim, vocab_size - 1) < 1 or not 0 <= dropout < 1:
        raise ParameterError(
            f"no hay red con units={list(units)}, embedding_dim={embedding_dim}, "
            f"dropout={dropout} y {vocab_size} símbolos: hacen falta 2 símbolos, 1 unidad en cada "
            "capa y en el embedding, y un dropout de 0 a 1 sin llegar a 1"
        )


def _check_transformer(cell, units, n_heads, max_distance, bidirectional):
    if cell != TRANSFORMER:
        return
    if bidirectional:
        raise ParameterError(
            "un transformer ya mira de una vez toda la ventana: usa bidirectional=False, "
            f"o una celda recurrente ({', '.join(CELLS)})"
        )
    if min(n_heads, max_distance) < 1 or len(set(units)) > 1 or units[0] % n_heads:
        raise ParameterError(
            f"no hay transformer con units={list(units)}, n_heads={n_heads} y max_distance="
            f"{max_distance}: todas las capas tienen la misma anchura, múltiplo de n_heads, "
            "y n_heads y max_distance son al menos 1; prueba units=[128, 128] y n_heads=4"
        )


def _check_noise(noise, noise_dim, free_nats):
    if noise != "none" and (noise_dim < 1 or not 0 <= free_nats < np.inf):
        raise ParameterError(
            f"noise_dim es {noise_dim} y debe ser al menos 1; free_nats es {free_nats} y debe "
            "ser un número finito, 0 o más"
        )


def _check_targets(every_step, bidirectional, noise):
    if every_step and bidirectional:
        raise ParameterError(
            "con bidirectional=True y every_step=True la red vería en la entrada el símbolo que "
            "debe predecir en cada paso: usa every_step=False, o bidirectional=False"
        )
    if noise == "vae" and not every_step:
        raise ParameterError(
            "con noise=vae y every_step=False el codificador leería la ventana, pero no el único "
            "símbolo que hay que predecir, y el ruido no diría nada: usa every_step=True"
        )
