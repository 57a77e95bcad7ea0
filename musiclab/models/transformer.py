"""The transformer: attention that looks back only, and knows how far."""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError

TRANSFORMER = "transformer"


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
        # One layer makes the queries, keys and values of all heads; another mixes the heads.
        self.qkv = keras.layers.Dense(3 * width, use_bias=False)
        self.qkv.build(shape)
        self.out = keras.layers.Dense(width, use_bias=False)
        self.out.build(shape)
        # Zeros: a distance that no window has trained says nothing, rather than anything.
        self.r = self.add_weight((self.max_distance, width // self.n_heads), "zeros", name="r")

    def call(self, x):
        ops = keras.ops
        n_steps = ops.shape(x)[1]
        width = x.shape[-1]
        depth = width // self.n_heads

        # What each step asks (q), what it offers to be found by (k), and what it gives (v).
        q, k, v = ops.split(self.qkv(x), 3, axis=-1)
        heads = (-1, n_steps, self.n_heads, depth)  # b windows, t or s steps, h heads, d depth
        q = ops.reshape(q, heads)
        k = ops.reshape(k, heads)
        v = ops.reshape(v, heads)

        # The learned vector of how far step s lies behind step t.
        steps = ops.arange(n_steps)
        back = steps[:, None] - steps
        distance = ops.clip(back, 0, self.max_distance - 1)
        r = ops.take(self.r, distance, axis=0)

        # How well s answers what t asks, by what it is and by how far back it lies.
        by_content = ops.einsum("bthd,bshd->bhts", q, k)
        by_distance = ops.einsum("bthd,tsd->bhts", q, r)
        scores = (by_content + by_distance) / np.sqrt(depth)

        # No step looks ahead: what comes later gets no share.
        scores = ops.where(back < 0, -1e9, scores)
        weights = ops.softmax(scores)

        # Each step gathers what the others give, in those shares.
        gathered = ops.einsum("bhts,bshd->bthd", self.dropout(weights), v)

        # The heads side by side again, and mixed.
        joined = ops.reshape(gathered, (-1, n_steps, width))
        return self.out(joined), weights


def transformer_layers(x, config):
    """Add to each step what attention finds, then what two dense layers make of it.

    x: (n_windows, n_steps, n_features); config: a `NetworkConfig`
    Returns (n_windows, n_steps, width), or (n_windows, width) of the last
    step when only that one has a target.

    Normalising before each part rather than after it lets deep stacks learn
    without a warm-up: Xiong et al. (2020), On layer normalization.
    """
    layers, width = keras.layers, config.units[0]
    # All layers have one width, so that each can add to what comes in.
    if x.shape[-1] != width:
        x = layers.Dense(width, name="projection")(x)
    x = x * width**0.5  # else what the first layers add would drown the symbols
    for k in range(1, len(config.units) + 1):
        # Attention: what do the earlier steps say?
        normed = layers.LayerNormalization(name=f"norm_{k}a")(x)
        attend = CausalAttention(
            config.n_heads, config.max_distance, config.dropout, name=f"attention_{k}"
        )
        found, _ = attend(normed)
        x = x + layers.Dropout(config.dropout, name=f"dropout_{k}a")(found)
        # Two dense layers, the same at each step: what follows from it?
        normed = layers.LayerNormalization(name=f"norm_{k}b")(x)
        hidden = layers.Dense(4 * width, activation="gelu", name=f"hidden_{k}")(normed)
        thought = layers.Dense(width, name=f"dense_{k}")(hidden)
        x = x + layers.Dropout(config.dropout, name=f"dropout_{k}b")(thought)
    x = layers.LayerNormalization(name="norm")(x)
    return x if config.every_step else x[:, -1]


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
    # A model with the same layers whose outputs are the weights of attention.
    looks = keras.Model(model.input, {layer.name: layer.output[1] for layer in layers})
    one_window = np.asarray(ids)[np.newaxis]
    weights = looks(one_window)
    return np.concatenate([weights[layer.name] for layer in layers])
