"""The transformer: attention that looks back only, and knows how far."""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError


class CausalAttention(keras.layers.Layer):
    """Self-attention that looks back only, and knows how far back it looks.

    A step t scores each step s up to itself by q_t · (k_s + r_(t-s)) / √depth.
    The vector r of each distance is learned and shared by the heads; from
    max_distance - 1 on it is the same, so that songs of any length will do:
    take it shorter than the training windows, so that each r is learned.

    x (n_windows, n_steps, width) -> the same shape, and the weights
    (n_windows, n_heads, n_steps, n_steps), whose rows sum to 1.

    Source: Shaw, Uszkoreit and Vaswani (2018), Self-attention with relative
    position representations; Huang et al. (2018), Music Transformer.
    """

    def __init__(self, n_heads, max_distance, dropout, **kwargs):
        super().__init__(**kwargs)
        self.n_heads, self.max_distance = n_heads, max_distance
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, shape):
        width = shape[-1]
        self.qkv, self.out = (keras.layers.Dense(n, use_bias=False) for n in (3 * width, width))
        self.qkv.build(shape)
        self.out.build(shape)
        # Zeros: a distance that no window has trained says nothing, rather than anything.
        self.r = self.add_weight((self.max_distance, width // self.n_heads), "zeros", name="r")

    def call(self, x):
        ops = keras.ops
        n_steps, width = ops.shape(x)[1], x.shape[-1]
        heads = (-1, n_steps, self.n_heads, width // self.n_heads)
        q, k, v = (ops.reshape(part, heads) for part in ops.split(self.qkv(x), 3, axis=-1))
        back = ops.arange(n_steps)[:, None] - ops.arange(n_steps)
        r = ops.take(self.r, ops.clip(back, 0, self.max_distance - 1), axis=0)
        scores = ops.einsum("bthd,bshd->bhts", q, k) + ops.einsum("bthd,tsd->bhts", q, r)
        scores = ops.where(back < 0, -1e9, scores / np.sqrt(heads[-1]))
        weights = ops.softmax(scores)
        mixed = ops.einsum("bhts,bshd->bthd", self.dropout(weights), v)
        return self.out(ops.reshape(mixed, (-1, n_steps, width))), weights


def transformer_layers(x, units, dropout, n_heads, max_distance):
    """Add to each step what attention finds, then what two dense layers make of it.

    Normalising before each part rather than after it lets deep stacks learn
    without a warm-up: Xiong et al. (2020), On layer normalization.
    """
    layers, width = keras.layers, units[0]
    if x.shape[-1] != width:
        x = layers.Dense(width, name="projection")(x)
    x = x * width**0.5  # else what the first layers add would drown the symbols
    for k in range(1, len(units) + 1):
        attend = CausalAttention(n_heads, max_distance, dropout, name=f"attention_{k}")
        seen, _ = attend(layers.LayerNormalization(name=f"norm_{k}a")(x))
        x = x + layers.Dropout(dropout, name=f"dropout_{k}a")(seen)
        h = layers.LayerNormalization(name=f"norm_{k}b")(x)
        h = layers.Dense(4 * width, activation="gelu", name=f"hidden_{k}")(h)
        h = layers.Dense(width, name=f"dense_{k}")(h)
        x = x + layers.Dropout(dropout, name=f"dropout_{k}b")(h)
    return layers.LayerNormalization(name="norm")(x)


def attention_weights(model, ids):
    """Return how much each step of a transformer looks at each step before it.

    ids: int array (n_steps,)
    Returns an array (n_layers, n_heads, n_steps, n_steps): row t holds the
    shares, which sum to 1, of the steps 0 to t in what step t gathers.
    Raises ParameterError for a network without attention.
    """
    layers = [layer for layer in model.layers if isinstance(layer, CausalAttention)]
    if not layers:
        raise ParameterError(
            f"la red «{model.name}» no tiene atención: créala con cell=transformer"
        )
    outputs = keras.Model(model.input, {layer.name: layer.output[1] for layer in layers})
    weights = outputs(np.asarray(ids)[None])
    return np.concatenate([weights[layer.name] for layer in layers])
