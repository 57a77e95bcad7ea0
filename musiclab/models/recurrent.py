"""The stack of recurrent layers."""

from musiclab.backend import keras

CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def recurrent_layers(x, cell, units, dropout, every_step, bidirectional):
    """Stack recurrent layers on x, a layer for each number of units, dropout behind each."""
    for k, n_units in enumerate(units, start=1):
        all_steps, name = every_step or k < len(units), f"{cell}_{k}"
        layer = CELLS[cell](n_units, return_sequences=all_steps, name=name)
        x = keras.layers.Bidirectional(layer, name=name)(x) if bidirectional else layer(x)
        x = keras.layers.Dropout(dropout, name=f"dropout_{k}")(x)
    return x
