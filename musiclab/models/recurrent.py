"""The stack of recurrent layers."""

from musiclab.backend import keras

CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def recurrent_layers(x, config):
    """Stack recurrent layers on x, a layer for each number of units, dropout behind each.

    x: (n_windows, n_steps, n_features); config: a `NetworkConfig`
    Returns (n_windows, n_steps, n_units), or (n_windows, n_units) of the last
    step when only that one has a target.
    """
    make_layer = CELLS[config.cell]
    n_layers = len(config.units)
    for k, n_units in enumerate(config.units, start=1):
        # A layer needs every step of the one below it; only the last may do with the end.
        all_steps = config.every_step or k < n_layers
        name = f"{config.cell}_{k}"
        layer = make_layer(n_units, return_sequences=all_steps, name=name)
        # Read the window from its end as well, and put both findings side by side.
        if config.bidirectional:
            layer = keras.layers.Bidirectional(layer, name=name)
        x = layer(x)
        # Switch units off at random while training, so that none is relied upon.
        x = keras.layers.Dropout(config.dropout, name=f"dropout_{k}")(x)
    return x
