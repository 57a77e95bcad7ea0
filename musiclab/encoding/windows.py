"""Ids to windows: what a network reads, and what it has to foretell."""

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError


def make_windows(sequences, window_length, every_step=False):
    """Cut songs into windows of ids that never cross from one song to the next.

    sequences: int arrays (n_ids,), one a song; those with fewer than
        window_length + 1 ids give no window
    every_step: False gives each window the one id that follows it, and a
        window begins at every id; True gives each id of a window the id
        that follows it, and the windows of a song overlap only at its end

    Returns x (n_windows, window_length) and y (n_windows,), or
    (n_windows, window_length) with every_step, both int32; what has two axes
    is a `Windows`, so that the memory grows with the ids and not with
    window_length.
    Raises ShortSequenceError when there is no complete window.
    """
    if window_length < 1:
        raise ParameterError(f"SEQUENCE_LEN es {window_length} y debe ser al menos 1")
    # All songs in one line, and where in it each window begins.
    songs, starts, n_ids = [], [], 0
    for ids in sequences:
        # A window needs an id behind it, to foretell.
        n_starts = len(ids) - window_length
        if n_starts < 1:
            continue
        own = np.arange(n_starts, dtype=np.int32)
        # One window behind the other, and one that ends with the song.
        if every_step:
            own = np.append(own[: n_starts - 1 : window_length], own[-1:])
        songs.append(ids)
        starts.append(n_ids + own)
        n_ids += len(ids)
    if not songs:
        longest = max((len(ids) for ids in sequences), default=0)
        raise ShortSequenceError(
            f"la canción más larga tiene {longest} símbolos y hacen falta {window_length + 1}: "
            "baja SEQUENCE_LEN o añade canciones más largas"
        )
    ids = np.concatenate(songs, dtype=np.int32)
    starts = np.concatenate(starts)
    x = Windows(ids, starts, window_length)
    # What is to be foretold: the same windows one id later, or the id behind each.
    if every_step:
        return x, Windows(ids, starts + 1, window_length)
    return x, ids[starts + window_length]


class Windows:
    """Windows of a long array of ids, cut when they are asked for.

    It stands for an int32 array (n_windows, window_length): indexing and
    np.asarray give copies of what they ask for. It takes the memory of the
    ids and one number a window.

    ids: int32 array (n_ids,); starts: int array (n_windows,)
    """

    dtype, ndim = np.dtype(np.int32), 2

    def __init__(self, ids, starts, window_length):
        self.ids, self.starts = ids, starts
        self.shape = len(starts), window_length

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, key):
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        # Each window's places: its start, and so many after it.
        starts = self.starts[key]
        places = starts[..., None] + np.arange(self.shape[1])
        return self.ids[places]

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("windows overlap: an array of them is always a copy")
        return self[:].astype(dtype or self.dtype, copy=False)
