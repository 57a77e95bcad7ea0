"""Networks that predict the next symbol of a song.

Every model takes ids (n_windows, n_steps), int32, and returns logits:
(n_windows, vocab_size), or (n_windows, n_steps, vocab_size) when every
step has a target; those of a step hang only on the ids up to it.
"""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError

TUTORIAL_UNITS = (512, 256, 128, 64, 32)
CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}
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
        x = _transformer(x, units, dropout, n_heads, max_distance)
        x = x if every_step else x[:, -1]
    else:
        x = _recurrent(x, cell, units, dropout, every_step, bidirectional)
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


# Recurrent networks


def _recurrent(x, cell, units, dropout, every_step, bidirectional):
    for k, n_units in enumerate(units, start=1):
        all_steps, name = every_step or k < len(units), f"{cell}_{k}"
        layer = CELLS[cell](n_units, return_sequences=all_steps, name=name)
        x = keras.layers.Bidirectional(layer, name=name)(x) if bidirectional else layer(x)
        x = keras.layers.Dropout(dropout, name=f"dropout_{k}")(x)
    return x


# The transformer


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


def _transformer(x, units, dropout, n_heads, max_distance):
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


# Noise


class Noise(keras.layers.Layer):
    """Put a vector z beside every step: drawn for each window at training, chosen afterwards.

    At training z comes from the normal distribution. At inference it is a
    weight, zeros until `choose_noise` sets it, so that a bundle keeps it.
    The network soon learns that z says nothing of the music, and ignores it.

    x (n_windows, n_steps, n_features) -> (..., n_features + noise_dim)
    """

    def __init__(self, noise_dim, **kwargs):
        super().__init__(**kwargs)
        self.noise_dim = noise_dim
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, shape):
        self.z = self.add_weight((1, self.noise_dim), "zeros", trainable=False, name="z")

    def call(self, x, training=False):
        n_windows, n_steps, _ = keras.ops.shape(x)
        z = self.draw(x) if training else self.z
        z = keras.ops.broadcast_to(z[:, None], (n_windows, n_steps, self.noise_dim))
        return keras.ops.concatenate([x, z], axis=-1)

    def draw(self, x):
        """Return z (n_windows, noise_dim) for windows x (n_windows, n_steps, n_features)."""
        shape = (keras.ops.shape(x)[0], self.noise_dim)
        return keras.random.normal(shape, seed=self.seed_generator)


class Latent(Noise):
    """Noise that says something of the music: the latent vector of a conditional VAE.

    At training z is what an encoder that reads the whole window makes of it,
    blurred, so that using it pays. What z tells beyond free_nats a symbol
    costs as much as it tells (the KL divergence from the normal
    distribution), so that vectors drawn from that distribution will do
    afterwards. One window in WITHOUT has z = 0 instead, so that a network
    for which nothing is chosen writes as well as one without noise.

    Nothing of the encoder is used at inference, and so not in val_loss: it
    is the NLL with the z that is chosen, causal as that of other networks.
    The training loss is not comparable with it: it is lower by what z gives
    away, and higher by what that costs.

    Sources: Kingma and Welling (2014), Auto-encoding variational Bayes;
    Bowman et al. (2016), Generating sentences from a continuous space;
    Kingma et al. (2016), Improving variational inference (free bits).
    """

    WITHOUT = 4

    def __init__(self, noise_dim, units, free_nats, **kwargs):
        super().__init__(noise_dim, **kwargs)
        self.encoder = keras.layers.Bidirectional(keras.layers.GRU(max(1, units // 2)))
        self.moments = keras.layers.Dense(2 * noise_dim)
        self.free_nats = free_nats

    def build(self, shape):
        super().build(shape)
        self.encoder.build(shape)
        self.moments.build(self.encoder.compute_output_shape(shape))

    def posterior(self, x):
        """Return mean and logarithm of the variance of z, both (n_windows, noise_dim)."""
        return keras.ops.split(self.moments(self.encoder(x)), 2, axis=-1)

    def draw(self, x):
        ops = keras.ops
        mean, log_var = self.posterior(x)
        kl = ops.mean(ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=-1)) / 2
        self.add_loss(ops.maximum(kl / ops.shape(x)[1] - self.free_nats, 0))
        z = mean + ops.exp(log_var / 2) * super().draw(x)
        keep = keras.random.uniform((ops.shape(x)[0], 1), seed=self.seed_generator)
        return ops.where(keep * self.WITHOUT < 1, 0.0, z)


NOISES = {
    "none": lambda x, *_: x,
    "plain": lambda x, dim, *_: Noise(dim, name="noise")(x),
    "vae": lambda x, *sizes: Latent(*sizes, name="noise")(x),
}


def choose_noise(model, z=0.0):
    """Set the vector that a network with noise gets from now on.

    z: float array (noise_dim,), such as rng.standard_normal(noise_dim), or
        0 for the vector of zeros
    Raises ParameterError for a network without noise, and for another size.
    """
    layer, z = _noise_layer(model), np.asarray(z, dtype=np.float32)
    if z.shape not in ((), (layer.noise_dim,)) or not np.isfinite(z).all():
        raise ParameterError(
            f"el ruido tiene forma {z.shape} y debe ser un vector de {layer.noise_dim} números "
            "finitos, por ejemplo rng.standard_normal(noise_dim)"
        )
    layer.z.assign(np.broadcast_to(z, layer.z.shape))


def latent_of(model, ids):
    """Return the z that a VAE's encoder takes for likeliest for a window of a song.

    ids: int array (n_steps,), about as long as the windows of the training
    Returns an array (noise_dim,). Raises ParameterError for another network.
    """
    layer = _noise_layer(model)
    if not isinstance(layer, Latent):
        raise ParameterError(f"la red «{model.name}» no tiene codificador: créala con noise=vae")
    features = keras.Model(model.input, layer.input)(np.asarray(ids)[None])
    return np.asarray(layer.posterior(features)[0])[0]


def predictions_under(model, ids, noises):
    """Return the next-symbol probabilities under each of several vectors of noise.

    ids: int array (n_windows, n_steps); noises: float array (n_noises, noise_dim)
    Returns an array (n_noises, n_windows, ..., vocab_size), as the model's
    output after a softmax. The noise chosen before stays chosen.
    """
    layer, probabilities = _noise_layer(model), []
    before = layer.z.numpy()[0]
    try:
        for z in noises:
            choose_noise(model, z)
            logits = model.predict_on_batch(ids).astype(float)
            p = np.exp(logits - logits.max(axis=-1, keepdims=True))
            probabilities.append(p / p.sum(axis=-1, keepdims=True))
    finally:
        choose_noise(model, before)
    return np.array(probabilities)


def noise_effect(model, ids, noises):
    """Return how much the next symbol hangs on the noise, in nats.

    It is the Jensen-Shannon divergence of the distributions that K vectors
    of noise give, the mean over all positions: the entropy of their mean
    less the mean of their entropies. So it estimates the information that
    the noise carries of the next symbol beyond what the past says of it: 0
    when the network ignores the noise, at most log K.

    ids: int array (n_windows, n_steps); noises: float array (K, noise_dim)
    Source: Lin (1991), Divergence measures based on the Shannon entropy.
    """
    p = predictions_under(model, ids, noises)
    return float((_entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0)).mean())


def _entropy(p):
    return -(p * np.log(np.maximum(p, np.finfo(float).tiny))).sum(axis=-1)


def _noise_layer(model):
    for layer in model.layers:
        if isinstance(layer, Noise):
            return layer
    raise ParameterError(
        f"la red «{model.name}» no tiene ruido: créala con noise=plain o noise=vae"
    )


# Checks


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
