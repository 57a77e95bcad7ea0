"""A trained model writes: ids in, ids out.

Randomness comes in as a `numpy.random.Generator`; nothing that is passed
in is changed.
"""

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError
from musiclab.generation.sampling import sample_id
from musiclab.generation.stepping import (
    Network,
    has_one_target,
    recurrent_parts,
    sliding_windows,
)
from musiclab.progress import progress


def generate(model, prompt, n_notes, window_length=None, temperature=1.0, rng=None, **options):
    """Return the ids that the model writes after one prompt, an int32 array.

    rng: numpy Generator, from which one number is drawn for each id

    Everything else is as in `generate_songs`.
    """
    (ids,) = _write(model, [prompt], n_notes, window_length, temperature, [rng], **options)
    return ids


def generate_songs(
    model, prompts, n_notes, window_length=None, temperature=1.0, rng=None, **options
):
    """Return what the model writes after each prompt, a list of int32 arrays.

    prompts: int arrays (n_ids,). A model with one target a window needs at
        least a window; one with a target at every step needs one id: START
        will do.
    n_notes: how many ids to write, for each song
    window_length: how many of the last ids the model sees at each step, which
        a model with one target a window needs. With None it sees all that
        there is, prompt and song; a recurrent network then reads each id
        once, and that is by far the fastest.
    rng: numpy Generator; not needed for temperature 0. Song k draws from the
        k-th of `rng.spawn(len(prompts))`, and so is what `generate` writes with it.
    temperature, options: `top_k` and `top_p` as in `sample_id`, and
        banned_ids: never written; START belongs here
        end_id: a song stops where it is drawn and comes out without it, so
            with fewer ids than n_notes, perhaps none
        no_repeat_ngram_size: no run of so many ids comes twice in prompt and
            song (Paulus et al. 2018, A deep reinforced model for abstractive
            summarization). Unlike CTRL's penalty (Keskar et al. 2019) it
            does not shun notes for having sounded, only loops.

    Raises ShortSequenceError when a prompt is too short, and ParameterError
    for ids that the model does not know and as `sample_id` does.
    """
    rngs = [None] * len(prompts) if rng is None else rng.spawn(len(prompts))
    return _write(model, prompts, n_notes, window_length, temperature, rngs, **options)


def _write(
    model, prompts, n_notes, window_length, temperature, rngs,
    *, end_id=None, no_repeat_ngram_size=None, banned_ids=(), **options,
):  # fmt: skip
    """Write all songs at once, each with its own rng; one that ends leaves the batch."""
    _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size)
    # Room for all: the prompt stands at the beginning, the rest is still to be written.
    songs, lengths = [], []
    for prompt in prompts:
        song = np.zeros(len(prompt) + n_notes, dtype=np.int32)
        song[: len(prompt)] = prompt
        songs.append(song)
        lengths.append(len(prompt))
    reader = _reader(model, window_length)
    unfinished = list(range(len(songs)))
    for _ in progress(range(n_notes), "Generando", "nota"):
        if not unfinished:
            break
        # The network reads what is written and says what may come next, for all songs at once.
        written = [songs[k][: lengths[k]] for k in unfinished]
        with np.errstate(over="ignore", invalid="ignore"):  # sample_id tells what has diverged
            next_logits = reader.next_logits(written)
        # Each song draws its next symbol with its own chance.
        stay = []  # rows of the batch whose song goes on
        for row, k in enumerate(unfinished):
            banned = [*banned_ids, *_repeating_ids(written[row], no_repeat_ngram_size)]
            drawn = sample_id(next_logits[row], temperature, rngs[k], banned_ids=banned, **options)
            if drawn == end_id:
                continue
            songs[k][lengths[k]] = drawn
            lengths[k] += 1
            stay.append(row)
        # A song that has ended leaves the batch.
        if len(stay) < len(unfinished):
            unfinished = [unfinished[row] for row in stay]
            reader.keep(stay)
    # Without their prompts.
    new = []
    for prompt, song, length in zip(prompts, songs, lengths, strict=True):
        new.append(song[len(prompt) : length].copy())
    return new


def _repeating_ids(ids, size):
    """Return the ids that would close a run of `size` ids that stands in ids already."""
    if size is None or len(ids) < size:
        return ()
    runs = sliding_windows(ids, size)
    # Which runs begin as the song ends now: their last id would close the loop.
    begun = ids[len(ids) - size + 1 :]
    alike = (runs[:, :-1] == begun).all(axis=1)
    return set(runs[alike, -1].tolist())


def _check_task(model, prompts, n_notes, window_length, no_repeat_ngram_size):
    if n_notes < 1:
        raise ParameterError(f"N_NOTES es {n_notes} y debe ser al menos 1")
    if no_repeat_ngram_size is not None and no_repeat_ngram_size < 1:
        raise ParameterError(
            f"NO_REPEAT_NGRAM_SIZE es {no_repeat_ngram_size} y debe ser al menos 1, "
            "o None para dejar que se repita"
        )
    if window_length is not None and window_length < 1:
        raise ParameterError(f"window_length es {window_length} y debe ser al menos 1")
    if window_length is None and has_one_target(model):
        raise ParameterError(
            "esta red responde una vez por ventana: di cuántos símbolos ve, "
            "window_length=SEQUENCE_LEN"
        )
    vocab_size = model.output_shape[-1]
    ids = [k for prompt in prompts for k in prompt]
    if ids and not 0 <= min(ids) <= max(ids) < vocab_size:
        raise ParameterError(
            f"el motivo inicial tiene ids de {min(ids)} a {max(ids)} y la red conoce "
            f"{vocab_size} símbolos: usa el vocabulario con el que se entrenó"
        )
    needed = window_length if has_one_target(model) else 1
    shortest = min(map(len, prompts), default=needed)
    if shortest < needed:
        longer = "elige una canción más larga o baja SEQUENCE_LEN"
        remedy = longer if shortest else "empieza por uno"
        raise ShortSequenceError(
            f"el motivo inicial tiene {shortest} símbolos y hacen falta {needed}: {remedy}"
        )


# What comes next


def _reader(model, window_length):
    parts = recurrent_parts(model)
    if parts is None:
        return _Reread(model.predict_on_batch, window_length)
    network = Network(model, *parts)
    if window_length is None:
        return _Carried(network)
    return _Reread(network, window_length)


class _Reread:
    """The last ids of each song, read anew for each new id.

    read: ids (n_songs, n_steps) -> logits, as a model gives them
    """

    def __init__(self, read, window_length):
        self.read, self.window_length = read, window_length

    def next_logits(self, songs):
        """Return logits (n_songs, vocab_size) of what follows songs of any lengths."""
        # The last ids of each song, or all of them: song[-0:] is the whole song.
        n_seen = self.window_length or 0
        windows = [song[-n_seen:] for song in songs]
        # Side by side, a row a song.
        lengths = np.array([len(window) for window in windows])
        ids = np.zeros((len(windows), lengths.max()), dtype=np.int32)
        for row, window in zip(ids, windows, strict=True):
            row[: len(window)] = window  # filled up behind: no step sees what comes after it
        logits = self.read(ids)
        if logits.ndim == 2:
            return logits
        # Of a distribution a step, the one after each song's last id.
        return logits[np.arange(len(ids)), lengths - 1]

    def keep(self, rows):
        pass


class _Carried:
    """A recurrent network that reads each id once and remembers the rest.

    state: for each layer a list of arrays (n_songs, n_units)
    """

    def __init__(self, network):
        self.network, self.state = network, None

    def next_logits(self, songs):
        """Return logits (n_songs, vocab_size) of what follows songs, one id longer each time."""
        if self.state is not None:
            newest = [song[-1] for song in songs]
            outputs, self.state = self.network.step(newest, self.state)
            return self.network.logits(outputs)
        # The first time each song, of whatever length, is read from its beginning.
        outputs, states = [], []
        for song in songs:
            output, state = self.network.read(song[np.newaxis])
            outputs.append(output[:, -1])
            states.append(state)
        # Their states become one state for all, layer by layer.
        self.state = []
        for layer_of_songs in zip(*states, strict=True):
            parts = zip(*layer_of_songs, strict=True)  # h of all songs, then c of all songs
            self.state.append([np.concatenate(part) for part in parts])
        return self.network.logits(np.concatenate(outputs))

    def keep(self, rows):
        self.state = [[part[rows] for part in memory] for memory in self.state]
