"""What a network makes of the ids before its first layer: one number, or a vector each.

Each function takes ids (n_windows, n_steps) and a `NetworkConfig`, and
returns x (n_windows, n_steps, n_features).
"""

from musiclab.backend import keras


class OneHot(keras.layers.Layer):
    """(n_windows, n_steps) -> (n_windows, n_steps, vocab_size), a single 1 in each row.

    Keras' own CategoryEncoding loses the axis of a single step.
    """

    def __init__(self, vocab_size, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size

    def call(self, ids):
        return keras.ops.one_hot(ids, self.vocab_size)


def scalar(ids, config):
    """The tutorial's input: id / vocab_size, one number a step."""
    shares = keras.layers.Rescaling(1 / config.vocab_size)(ids)
    return keras.layers.Reshape((-1, 1))(shares)


def one_hot(ids, config):
    """A vector of zeros with a 1 in the id's place: no id is nearer to another."""
    return OneHot(config.vocab_size, name="one_hot")(ids)


def embedding(ids, config):
    """A learned vector for each id: those that are used alike come to lie together."""
    return keras.layers.Embedding(config.vocab_size, config.embedding_dim, name="embedding")(ids)


INPUTS = {"scalar": scalar, "one_hot": one_hot, "embedding": embedding}
