"""Recurrent networks in NumPy, which read each id once and carry their state on.

One row times a matrix is so little work that what a call of TensorFlow
costs beside it, compiled or not, is most of the time. Nothing here imports
Keras: a layer is known by its name and its weights.
"""

import numpy as np


def sliding_windows(ids, length):
    """Return a view (n_windows, length) of all the windows of ids (n_ids,)."""
    return np.lib.stride_tricks.sliding_window_view(ids, length)


def has_one_target(model):
    """Return whether a model gives one distribution a window, and not one a step."""
    return len(model.output_shape) == 2


class Network:
    """A recurrent network of `build_model`, with the weights that it has now.

    features: (vocab_size, n_features), what the first recurrent layer gets for each id
    """

    def __init__(self, model, front, recurrent, dense):
        features = np.arange(model.output_shape[-1])[:, None]
        for layer in front:
            features = layer(features)
        self.features = np.asarray(features)[:, 0]
        self.layers = [
            (_BothWays if kind_of(layer) == "Bidirectional" else RecurrentLayer)(layer)
            for layer in recurrent
        ]
        self.kernel, self.bias = dense.get_weights()
        self.one_target = has_one_target(model)

    def __call__(self, ids):
        """Return the logits that the model gives for ids (n_windows, n_steps)."""
        outputs, _ = self.read(ids)
        return self.logits(outputs[:, -1] if self.one_target else outputs)

    def read(self, ids):
        """Return the last layer's outputs, and the state in which the last step leaves it.

        ids: (n_songs, n_steps); outputs: (n_songs, n_steps, n_units)
        """
        x, state = self.features[ids], []
        for layer in self.layers:
            x, memory = layer.read(x)
            state.append(memory)
        return x, state

    def step(self, ids, state):
        """Read one more id (n_songs,); return outputs (n_songs, n_units) and the new state."""
        x, new = self.features[ids], []
        for layer, memory in zip(self.layers, state, strict=True):
            new.append(layer.step(layer.inputs(x), memory))
            x = new[-1][0]
        return x, new

    def logits(self, outputs):
        return outputs @ self.kernel + self.bias


def read_states(model, ids):
    """Return what the units of a model's last recurrent layer hold after each id.

    ids: (n_steps,); states: (n_steps, n_units)
    """
    outputs, _ = Network(model, *recurrent_parts(model)).read(np.asarray(ids)[np.newaxis])
    return outputs[0]


class RecurrentLayer:
    """A recurrent layer of Keras with the weights that it has now.

    Its memory is a list of arrays (n_songs, n_units), of which the first is its output.
    """

    def __init__(self, layer):
        self.cell, self.n_parts = _CELLS[kind_of(layer)]
        self.kernel, self.recurrent, bias = layer.get_weights()
        self.bias, *self.inner_bias = np.atleast_2d(bias)

    def read(self, x, memory=None):
        """Read on, x (n_songs, n_steps, n_features); return the outputs and the last memory."""
        n_songs, n_steps, n_features = x.shape
        inputs = self.inputs(x.reshape(-1, n_features)).reshape(n_songs, n_steps, -1)
        outputs = np.empty((n_songs, n_steps, len(self.recurrent)), dtype=np.float32)
        memory = memory or [np.zeros_like(outputs[:, 0])] * self.n_parts
        for t in range(n_steps):
            memory = self.step(inputs[:, t], memory)
            outputs[:, t] = memory[0]
        return outputs, memory

    def inputs(self, x):
        """Return what x (n, n_features) tells each gate."""
        return x @ self.kernel + self.bias

    def step(self, inputs, memory):
        """Return the memory after one more step."""
        return self.cell(inputs, memory, self.recurrent, *self.inner_bias)


class _BothWays:
    """A layer that also reads the window from its end; its last step then knows all of it."""

    def __init__(self, layer):
        self.there = RecurrentLayer(layer.forward_layer)
        self.back = RecurrentLayer(layer.backward_layer)
        self.is_last = not layer.return_sequences

    def read(self, x):
        there, back = self.there.read(x)[0], self.back.read(x[:, ::-1])[0]
        return np.concatenate([there, back if self.is_last else back[:, ::-1]], axis=-1), None


def _simple_rnn(inputs, memory, recurrent):
    return [np.tanh(inputs + memory[0] @ recurrent)]


def _lstm(inputs, memory, recurrent):
    h, c = memory
    gates = _split(inputs + h @ recurrent, 4)
    take, keep, _, show = _sigmoid(gates)
    c = keep * c + take * np.tanh(gates[2])
    return [show * np.tanh(c), c]


def _gru(inputs, memory, recurrent, inner_bias):
    (h,) = memory
    inputs, inner = _split(inputs, 3), _split(h @ recurrent + inner_bias, 3)
    keep, reset = _sigmoid(inputs[:2] + inner[:2])
    return [keep * h + (1 - keep) * np.tanh(inputs[2] + reset * inner[2])]


_CELLS = {  # how a step goes, and how many arrays it remembers
    "SimpleRNN": (_simple_rnn, 1),
    "LSTM": (_lstm, 2),
    "GRU": (_gru, 1),
}


def _split(gates, n):
    """(n_songs, n * n_units) -> (n, n_songs, n_units)"""
    return gates.reshape(len(gates), n, -1).swapaxes(0, 1)


def _sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # 1 / (1 + exp(-x)) would overflow


# What `build_model` puts in front of the recurrent layers looks at one id at a time.
_FRONT = ("Rescaling", "Reshape", "Embedding", "OneHot", "Noise", "Latent")


def kind_of(layer):
    """Return the name of a layer's class, empty for a class that is neither Keras' nor ours."""
    package = type(layer).__module__.partition(".")[0]
    return type(layer).__name__ if package in ("keras", "musiclab") else ""


def recurrent_parts(model):
    """Return (front, recurrent, dense): lists of layers, and the last; None for other models."""
    layers = [layer for layer in model.layers if kind_of(layer) not in ("InputLayer", "Dropout")]
    recurrent = [layer for layer in layers if _is_recurrent(layer)]
    n_front = len(layers) - 1 - len(recurrent)
    if (
        recurrent
        and layers[n_front:-1] == recurrent
        and all(kind_of(layer) in _FRONT for layer in layers[:n_front])
        and kind_of(layers[-1]) == "Dense"
        and layers[-1].activation.__name__ == "linear"
    ):
        return layers[:n_front], recurrent, layers[-1]
    return None


def _is_recurrent(layer):
    """Return whether it is a layer as `build_model` makes them, and so as the steps above go."""
    if kind_of(layer) == "Bidirectional":
        return layer.merge_mode == "concat" and _is_recurrent(layer.forward_layer)
    if kind_of(layer) not in _CELLS:
        return False
    gate = getattr(layer, "recurrent_activation", None)
    return (
        layer.activation.__name__ == "tanh"
        and (gate is None or gate.__name__ == "sigmoid")
        and layer.use_bias
        and getattr(layer, "reset_after", True)
    )
