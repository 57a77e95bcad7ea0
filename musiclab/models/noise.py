"""A vector of noise beside every step, drawn or learned (a conditional VAE)."""

import numpy as np

from musiclab.backend import keras
from musiclab.errors import ParameterError
from musiclab.logits import softmax


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
        # The same z at every step of a window.
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
        # What the encoder has understood after the last step, and what that says of z.
        read = self.encoder(x)
        return keras.ops.split(self.moments(read), 2, axis=-1)

    def draw(self, x):
        ops = keras.ops
        n_windows, n_steps, _ = ops.shape(x)
        mean, log_var = self.posterior(x)
        # What z tells of the window: the KL divergence from the normal distribution, in nats.
        per_number = mean**2 + ops.exp(log_var) - 1 - log_var
        kl = ops.mean(ops.sum(per_number, axis=-1)) / 2
        # It costs as much as it tells, beyond what is free.
        self.add_loss(ops.maximum(kl / n_steps - self.free_nats, 0))
        # A normal vector, moved and stretched: gradients find their way to mean and log_var.
        z = mean + ops.exp(log_var / 2) * super().draw(x)
        # Some windows learn to do without.
        chance = keras.random.uniform((n_windows, 1), seed=self.seed_generator)
        return ops.where(chance * self.WITHOUT < 1, 0.0, z)


def no_noise(x, config):
    """Leave the steps (n_windows, n_steps, n_features) as they are."""
    return x


def plain_noise(x, config):
    """Put a vector that is drawn beside each step, see `Noise`."""
    return Noise(config.noise_dim, name="noise")(x)


def latent_noise(x, config):
    """Put a vector that is learned beside each step, see `Latent`."""
    return Latent(config.noise_dim, config.units[0], config.free_nats, name="noise")(x)


NOISES = {"none": no_noise, "plain": plain_noise, "vae": latent_noise}


def choose_noise(model, z=0.0):
    """Set the vector that a network with noise gets from now on.

    z: float array (noise_dim,), such as rng.standard_normal(noise_dim), or
        0 for the vector of zeros
    Raises ParameterError for a network without noise, and for another size.
    """
    layer = _noise_layer(model)
    z = np.asarray(z, dtype=np.float32)
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
    window = np.asarray(ids)[np.newaxis]  # a batch of one
    features = keras.Model(model.input, layer.input)(window)
    mean, _ = layer.posterior(features)
    return np.asarray(mean)[0]


def predictions_under(model, ids, noises):
    """Return the next-symbol probabilities under each of several vectors of noise.

    ids: int array (n_windows, n_steps); noises: float array (n_noises, noise_dim)
    Returns an array (n_noises, n_windows, ..., vocab_size), as the model's
    output after a softmax. The noise chosen before stays chosen.
    """
    layer = _noise_layer(model)
    before = layer.z.numpy()[0]
    # The same windows under one vector after the other.
    probabilities = []
    try:
        for z in noises:
            choose_noise(model, z)
            logits = model.predict_on_batch(ids).astype(float)
            probabilities.append(softmax(logits))
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
    # How unsure one is of the symbol without knowing the noise, and how unsure with it.
    entropy_of_mean = _entropy(p.mean(axis=0))
    mean_of_entropies = _entropy(p).mean(axis=0)
    # What knowing it saves, on the mean.
    return float((entropy_of_mean - mean_of_entropies).mean())


def _entropy(p):
    logs = np.log(np.maximum(p, np.finfo(float).tiny))  # where p is 0, its product is 0 too
    return -(p * logs).sum(axis=-1)


def _noise_layer(model):
    for layer in model.layers:
        if isinstance(layer, Noise):
            return layer
    raise ParameterError(
        f"la red «{model.name}» no tiene ruido: créala con noise=plain o noise=vae"
    )
