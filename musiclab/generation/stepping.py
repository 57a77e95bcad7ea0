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
        # What the front layers make of each id, looked up from now on: a window of one id each.
        vocab_size = model.output_shape[-1]
        features = np.arange(vocab_size)[:, None]
        for layer in front:
            features = layer(features)
        self.features = np.asarray(features)[:, 0]
        # The recurrent layers, from the lowest to the highest.
        self.layers = []
        for layer in recurrent:
            make = _BothWays if kind_of(layer) == "Bidirectional" else RecurrentLayer
            self.layers.append(make(layer))
        # The layer that gives a logit for each symbol.
        self.kernel, self.bias = dense.get_weights()
        self.one_target = has_one_target(model)

    def __call__(self, ids):
        """Return the logits that the model gives for ids (n_windows, n_steps)."""
        outputs, _ = self.read(ids)
        if self.one_target:  # only what is known after the last step counts
            outputs = outputs[:, -1]
        return self.logits(outputs)

    def read(self, ids):
        """Return the last layer's outputs, and the state in which the last step leaves it.

        ids: (n_songs, n_steps); outputs: (n_songs, n_steps, n_units)
        """
        x = self.features[ids]
        state = []
        # Each layer reads what the one below it gave out.
        for layer in self.layers:
            x, memory = layer.read(x)
            state.append(memory)
        return x, state

    def step(self, ids, state):
        """Read one more id (n_songs,); return outputs (n_songs, n_units) and the new state."""
        x = self.features[ids]
        new = []
        for layer, memory in zip(self.layers, state, strict=True):
            memory = layer.step(layer.inputs(x), memory)
            new.append(memory)
            x = memory[0]  # its output, which the layer above it reads
        return x, new

    def logits(self, outputs):
        return outputs @ self.kernel + self.bias


def read_states(model, ids):
    """Return what the units of a model's last recurrent layer hold after each id.

    ids: (n_steps,); states: (n_steps, n_units)
    """
    network = Network(model, *recurrent_parts(model))
    one_song = np.asarray(ids)[np.newaxis]
    outputs, _ = network.read(one_song)
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
        n_units = len(self.recurrent)
        # What hangs on the inputs alone is reckoned for all steps in one product.
        flat = self.inputs(x.reshape(-1, n_features))
        inputs = flat.reshape(n_songs, n_steps, -1)
        outputs = np.empty((n_songs, n_steps, n_units), dtype=np.float32)
        # A song begins with an empty memory.
        memory = memory or [np.zeros_like(outputs[:, 0])] * self.n_parts
        # What hangs on the memory has to wait for the step before.
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
        there, _ = self.there.read(x)
        back, _ = self.back.read(x[:, ::-1])
        # A layer above wants both in the order of time; after the last one only ends are read.
        if not self.is_last:
            back = back[:, ::-1]
        return np.concatenate([there, back], axis=-1), None


def _simple_rnn(inputs, memory, recurrent):
    (h,) = memory
    return [np.tanh(inputs + h @ recurrent)]


def _lstm(inputs, memory, recurrent):
    h, c = memory  # what the layer shows, and what it remembers
    gates = _split(inputs + h @ recurrent, 4)
    # Three gates from 0 to 1, and between them the candidate for the memory.
    take, keep, _, show = _sigmoid(gates)
    candidate = np.tanh(gates[2])
    c = keep * c + take * candidate
    return [show * np.tanh(c), c]


def _gru(inputs, memory, recurrent, inner_bias):
    (h,) = memory
    inputs = _split(inputs, 3)
    inner = _split(h @ recurrent + inner_bias, 3)
    keep, reset = _sigmoid(inputs[:2] + inner[:2])
    # The reset gate says how much of the old state the candidate sees.
    candidate = np.tanh(inputs[2] + reset * inner[2])
    return [keep * h + (1 - keep) * candidate]


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
    # Dropout does nothing when a network writes.
    layers = [layer for layer in model.layers if kind_of(layer) not in ("InputLayer", "Dropout")]
    recurrent = [layer for layer in layers if _is_recurrent(layer)]
    if not recurrent:
        return None
    # Some layers in front, the recurrent ones in a row, and one at the end; nothing else will do.
    n_front = len(layers) - 1 - len(recurrent)
    front, last = layers[:n_front], layers[-1]
    if (
        layers[n_front:-1] == recurrent
        and all(kind_of(layer) in _FRONT for layer in front)
        and kind_of(last) == "Dense"
        and last.activation.__name__ == "linear"
    ):
        return front, recurrent, last
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
