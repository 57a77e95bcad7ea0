"""Networks that predict the next symbol of a song.

Every model takes ids (n_windows, n_steps), int32, and returns logits:
(n_windows, vocab_size), or (n_windows, n_steps, vocab_size) when every
step has a target; those of a step hang only on the ids up to it.
"""

from musiclab.backend import keras
from musiclab.errors import ParameterError
from musiclab.models.config import SETTINGS, NetworkConfig
from musiclab.models.inputs import INPUTS
from musiclab.models.noise import NOISES
from musiclab.models.recurrent import recurrent_layers
from musiclab.models.transformer import TRANSFORMER, transformer_layers


def build_model(vocab_size, **settings):
    """Return an uncompiled Keras model: input, a stack of layers, and logits.

    The defaults are the tutorial's network, whose prose says SimpleRNN and
    whose code says LSTM: `cell` takes both.

    vocab_size: how many ids there are
    settings: cell, units, dropout, inputs, embedding_dim, every_step,
        bidirectional, n_heads, max_distance, noise, noise_dim and free_nats,
        as `NetworkConfig` explains them

    Raises ParameterError for a setting that does not exist or is out of
    range, and for two that contradict each other.
    """
    for name in settings:
        if name not in SETTINGS:
            raise ParameterError(
                f"no existe el ajuste «{name}» de una red: elige entre {', '.join(SETTINGS)}",
                name=name,
                choices=SETTINGS,
            )
    return build_network(NetworkConfig(vocab_size, **settings))


def build_network(config):
    """Return the uncompiled Keras model of a `NetworkConfig`."""
    # The ids of a window become one vector a step.
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = INPUTS[config.inputs](ids, config)
    # A vector of noise may come beside each.
    x = NOISES[config.noise](x, config)
    # The layers that remember: what they say of a step hangs on the steps before it.
    stack = transformer_layers if config.cell == TRANSFORMER else recurrent_layers
    x = stack(x, config)
    # One number for each symbol that may come next: the larger, the likelier.
    logits = keras.layers.Dense(config.vocab_size, name="logits")(x)
    return keras.Model(ids, logits, name=f"{config.inputs}_{config.cell}")


def compile_model(model, learning_rate=1e-3):
    """Give the model its loss (nats a symbol), its accuracy and Adam; return it."""
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(learning_rate),
        metrics=["accuracy"],
    )
    return model
