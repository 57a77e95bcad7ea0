"""Songs to tokens, tokens to ids, ids to windows, and back.

Conventions: a token is a string, an id an integer; pitch names are
music21's (C4 is middle C, E- is E flat), flats but for C#, F# and G#.

Each encoding says in `loses` what a song does not get back from it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError, VocabularyError
from musiclab.notes import NoteEvent, Song

PITCH_NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
LOWEST_PITCH = 12  # below it music21's names clash: E-1 is both 27 and 4
UNKNOWN = "<unk>"


# Songs and tokens


@dataclass(frozen=True)
class Encoding:
    """A pair of inverse functions and what is lost between them.

    encode: Song -> list of tokens
    decode: (tokens, step_ql) -> tuple of NoteEvents, one every step_ql
    """

    name: str
    encode: Callable
    decode: Callable
    loses: str


def pitch_name(pitch):
    """Return the name of a MIDI number, such as C4 for 60.

    The lowest octave is written as the one above it (see LOWEST_PITCH).
    """
    pitch = max(pitch, LOWEST_PITCH + pitch % 12)
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def pitch_number(name):
    """Return the MIDI number of a name that `pitch_name` gives.

    Raises VocabularyError for any other string.
    """
    if name not in _NUMBERS:
        raise VocabularyError(f"«{name}» no es el nombre de una altura: se escriben como C4 o B-3")
    return _NUMBERS[name]


_NUMBERS = {pitch_name(pitch): pitch for pitch in range(LOWEST_PITCH, 128)}


def normal_order(pitch_classes):
    """Return pitch classes (0-11) in their most compact order, as a list.

    Among the rotations the one with the smallest span, then with the
    smallest intervals from its start, then the lowest start: Forte's rule,
    which music21's `Chord.normalOrder` follows.
    """
    classes = sorted(set(pitch_classes))
    rotations = [classes[k:] + classes[:k] for k in range(len(classes))]

    def compactness(rotation):
        intervals = [(pitch_class - rotation[0]) % 12 for pitch_class in rotation]
        return intervals[-1], intervals, rotation[0]

    return min(rotations, key=compactness)


def _encode_tutorial(song):
    return [
        pitch_name(event.pitches[0])
        if len(event.pitches) == 1
        else ".".join(str(c) for c in normal_order(p % 12 for p in event.pitches))
        for event in song.events
    ]


def _pitches_of_tutorial(token):
    if token[0].isdigit():
        # Read upwards from middle C: the only octave that the token leaves us.
        pitches = [60 + int(token.split(".")[0])]
        for pitch_class in token.split(".")[1:]:
            pitches.append(pitches[-1] + (int(pitch_class) - pitches[-1]) % 12)
        # A lone number is a note doubled at the octave.
        return tuple(pitches) if len(pitches) > 1 else (pitches[0], pitches[0] + 12)
    return (pitch_number(token),)


def _encode_pitches(song):
    names = ([pitch_name(pitch) for pitch in event.pitches] for event in song.events)
    return [".".join(dict.fromkeys(chord)) for chord in names]  # the lowest octave may repeat one


def _pitches_of_names(token):
    return tuple(sorted({pitch_number(name) for name in token.split(".")}))


def _decoder(pitches_of):
    def decode(tokens, step_ql=0.5):
        return tuple(
            NoteEvent(k * step_ql, step_ql, pitches_of(token)) for k, token in enumerate(tokens)
        )

    return decode


ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding(
            "tutorial",
            _encode_tutorial,
            _decoder(_pitches_of_tutorial),
            "octavas y disposición de los acordes, duraciones, silencios, intensidad y tempo",
        ),
        Encoding(
            "pitches",
            _encode_pitches,
            _decoder(_pitches_of_names),
            "duraciones, silencios, intensidad y tempo",
        ),
    )
}


def get_encoding(name):
    """Return the encoding of that name, or raise ParameterError with those that exist."""
    if name not in ENCODINGS:
        raise ParameterError(f"no existe la codificación «{name}»: elige {' o '.join(ENCODINGS)}")
    return ENCODINGS[name]


def decode_song(tokens, encoding, step_ql=0.5, **sound):
    """Return a Song that plays the tokens one every step_ql quarter lengths.

    sound: the Song's other fields, such as program and tempo_bpm
    """
    return Song(get_encoding(encoding).decode(tokens, step_ql), **sound)


# Tokens and ids


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have an id: token k has id k.

    Id 0 is the unknown symbol; then come the single pitches from low to
    high, then the chords by their numbers of notes and pitches.
    """

    tokens: tuple[str, ...]

    def __post_init__(self):
        if not self.tokens or self.tokens[0] != UNKNOWN or len(set(self.tokens)) < len(self):
            raise VocabularyError(
                "el vocabulario está dañado: debe empezar por el símbolo desconocido y no "
                "repetir ninguno; vuelve a crearlo con Vocabulary.fit"
            )
        object.__setattr__(self, "_ids", {token: k for k, token in enumerate(self.tokens)})

    @classmethod
    def fit(cls, sequences):
        """Return the vocabulary of the token sequences of the training songs."""
        return cls((UNKNOWN, *sorted({t for tokens in sequences for t in tokens}, key=token_key)))

    def __len__(self):
        return len(self.tokens)

    def to_ids(self, tokens):
        """Return an int32 array (n_tokens,); tokens that it lacks become id 0."""
        return np.array([self._ids.get(token, 0) for token in tokens], dtype=np.int32)

    def to_tokens(self, ids):
        """Return the list of tokens of an array of ids (n_ids,)."""
        return [self.tokens[k] for k in ids]


def token_key(token):
    """Return the sort key of a token: notes by pitch, then chords by size and pitches."""
    names = token.split(".")
    if token[0].isdigit():
        return len(names) + 1, [int(name) for name in names]
    return len(names), [pitch_number(name) for name in names]


def most_common(sequences, n):
    """Return the n commonest tokens as (token, count) pairs, commonest first."""
    return Counter(token for tokens in sequences for token in tokens).most_common(n)


# Ids and windows


def make_windows(sequences, window_length, every_step=False):
    """Cut songs into windows of ids that never cross from one song to the next.

    sequences: int arrays (n_ids,), one a song; those with fewer than
        window_length + 1 ids give no window
    every_step: False gives each window the one id that follows it, and a
        window begins at every id; True gives each id of a window the id
        that follows it, and the windows of a song overlap only at its end

    Returns x (n_windows, window_length) and y (n_windows,), or
    (n_windows, window_length) with every_step, both int32.
    Raises ShortSequenceError when there is no complete window.
    """
    if window_length < 1:
        raise ParameterError(f"SEQUENCE_LEN es {window_length} y debe ser al menos 1")
    x, y = [], []
    for ids in sequences:
        n_starts = len(ids) - window_length
        if n_starts < 1:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(ids, window_length)
        if every_step:
            starts = [*range(0, n_starts - 1, window_length), n_starts - 1]
            x.append(windows[starts])
            y.append(windows[np.add(starts, 1)])
        else:
            x.append(windows[:-1])
            y.append(ids[window_length:])
    if not x:
        longest = max((len(ids) for ids in sequences), default=0)
        raise ShortSequenceError(
            f"la canción más larga tiene {longest} símbolos y hacen falta {window_length + 1}: "
            "baja SEQUENCE_LEN o añade canciones más largas"
        )
    return np.concatenate(x).astype(np.int32), np.concatenate(y).astype(np.int32)
