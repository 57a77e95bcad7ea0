"""Songs to tokens, tokens to ids, ids to windows, and back.

Conventions: a token is a string, an id an integer; pitch names are
music21's (C4 is middle C, E- is E flat), flats but for C#, F# and G#.

Each encoding says in `loses` what a song does not get back from it. Those
with times begin a song with START and close it with END; their `decode`
stops at END, passes over START and what is unknown, and takes any order of
their tokens, as a network may write them.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cache, partial
from itertools import takewhile

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError, VocabularyError
from musiclab.grid import (
    DEFAULT_VELOCITY,
    LOWEST_PITCH,
    N_VOICES,
    SIXTEENTHS,
    GridNote,
    events_of_notes,
    grid_to_song,
    notes_on_grid,
    song_to_voices,
)
from musiclab.notes import NoteEvent, Song

PITCH_NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
UNKNOWN, START, END = "<unk>", "<start>", "<end>"
HOLD, REST = "_", "rest"
SPECIALS = (UNKNOWN, START, END, HOLD, REST)
TICKS = 24  # in a quarter: holds thirty-seconds and triplets of sixteenths
DYNAMICS = ("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff")


# Songs and tokens


@dataclass(frozen=True)
class Encoding:
    """A pair of inverse functions and what is lost between them.

    encode: Song -> list of tokens; all parts together, as one player would play them
    decode: (tokens, step_ql) -> tuple of NoteEvents; one every step_ql where
        the tokens have no times, which step_ql does not touch
    timed: whether the tokens have times
    """

    name: str
    encode: Callable
    decode: Callable
    loses: str
    timed: bool = True


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
        for event in song.chords()
    ]


def _pitches_of_tutorial(token):
    if token[:1].isdigit():
        first, *others = _pitch_classes(token)
        # Read upwards from middle C: the only octave that the token leaves us.
        pitches = [60 + first]
        for pitch_class in others:
            pitches.append(pitches[-1] + (pitch_class - pitches[-1]) % 12)
        # A lone number is a note doubled at the octave.
        return tuple(pitches) if len(pitches) > 1 else (pitches[0], pitches[0] + 12)
    return (pitch_number(token),)


def _pitch_classes(token):
    """Return the pitch classes of a chord's token, such as 4.7.0."""
    classes = token.split(".")
    if not set(classes) <= _CLASSES or len(set(classes)) < len(classes):
        raise VocabularyError(
            f"«{token}» no es un acorde: se escriben como 4.7.0, con clases de altura de 0 a 11"
        )
    return [int(pitch_class) for pitch_class in classes]


_CLASSES = {str(pitch_class) for pitch_class in range(12)}


def _encode_pitches(song):
    names = ([pitch_name(pitch) for pitch in event.pitches] for event in song.chords())
    return [".".join(dict.fromkeys(chord)) for chord in names]  # the lowest octave may repeat one


def _pitches_of_names(token):
    return tuple(sorted({pitch_number(name) for name in token.split(".")}))


def _decoder(pitches_of):
    def decode(tokens, step_ql=0.5):
        return tuple(
            NoteEvent(k * step_ql, step_ql, pitches_of(token)) for k, token in enumerate(tokens)
        )

    return decode


# Tokens with times


def nearest_dynamic(velocity):
    """Return the velocity (16, 32, ..., 112, 127) of the nearest of DYNAMICS."""
    return min(16 * min(max((velocity + 8) // 16, 1), len(DYNAMICS)), 127)


def _encode_events(song, velocity_of=None):
    """Return one token a note, such as C4:1:1/2, or C4:1:1/2:mf with velocities.

    Its fields are the pitch, the duration and the wait until the next token
    (0 within a chord), in quarter lengths, fractions on a grid of TICKS. Of
    one onset come first the grace notes (duration 0), then the others, from
    high to low. rest:1 stands where nothing sounds. The last wait runs to the
    end of the song.
    """
    items, end = [], 0
    notes = notes_on_grid(song, TICKS, velocity_of)
    for note in sorted(notes, key=lambda n: (n.start, n.stop > n.start, -n.pitch, n)):
        if note.start > end:
            items.append((end, REST, ""))
        dynamic = f":{DYNAMICS[(note.velocity + 8) // 16 - 1]}" if velocity_of else ""
        name = f"{pitch_name(note.pitch)}:{_fraction(note.stop - note.start)}"
        items.append((note.start, name, dynamic))
        end = max(end, note.stop)
    starts = [*(start for start, _, _ in items), end]
    tokens = (
        f"{name}:{_fraction(starts[k + 1] - start)}{dynamic}"
        for k, (start, name, dynamic) in enumerate(items)
    )
    return [START, *tokens, END]


@cache
def _fraction(ticks):
    return str(Fraction(ticks, TICKS))


def _decode_events(tokens, step_ql=None):
    notes, now = [], 0
    for token in _body(tokens):
        if token != UNKNOWN:
            pitch, duration, wait, velocity = _read_event(token)
            if pitch is not None:
                notes.append(GridNote(now, now + duration, pitch, velocity))
            now += wait
    return events_of_notes(notes, TICKS)


_TIME = "([0-9]{1,6}(?:/(?:2|3|4|6|8|12|24))?)"
_EVENT = re.compile(rf"(?:rest|([A-G][#-]?[0-9]):{_TIME}):{_TIME}(?::({'|'.join(DYNAMICS)}))?")


@cache
def _read_event(token):
    """Return (pitch or None for a rest, duration, wait, velocity) of a token, in ticks."""
    match = _EVENT.fullmatch(token)
    if not match:
        raise VocabularyError(
            f"«{token}» no es un símbolo con tiempos: se escriben como C4:1:1/2 o rest:1; "
            "comprueba que la codificación es la misma con la que se escribieron"
        )
    name, duration, wait, dynamic = match.groups()
    velocity = min(16 * (DYNAMICS.index(dynamic) + 1), 127) if dynamic else DEFAULT_VELOCITY
    pitch = None if name is None else pitch_number(name)
    return pitch, int(TICKS * Fraction(duration or 0)), int(TICKS * Fraction(wait)), velocity


def _encode_grid(song):
    """Return four tokens a sixteenth, from soprano to bass: a pitch, HOLD or REST."""
    grid, begins = song_to_voices(song)
    cells = zip(grid.ravel().tolist(), begins.ravel().tolist(), strict=True)
    names = (pitch_name(pitch) if new else HOLD if pitch else REST for pitch, new in cells)
    return [START, *names, END]


def _decode_grid(tokens, step_ql=None):
    # The place of a token says whose it is: an unknown one holds what sounds,
    # and the voices that a cut leaves out hold until the others end.
    cells = [HOLD if token == UNKNOWN else token for token in _body(tokens)]
    cells += [HOLD] * (-len(cells) % N_VOICES)
    pitches = []
    for k, token in enumerate(cells):
        held = pitches[k - N_VOICES] if k >= N_VOICES else 0
        pitches.append(held if token == HOLD else 0 if token == REST else pitch_number(token))
    begins = [token not in (HOLD, REST) for token in cells]
    grid = np.reshape(np.array(pitches, dtype=int), (-1, N_VOICES))
    return grid_to_song(grid, np.reshape(np.array(begins, dtype=bool), grid.shape)).events


def _body(tokens):
    return [token for token in takewhile(lambda token: token != END, tokens) if token != START]


ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding(
            "tutorial",
            _encode_tutorial,
            _decoder(_pitches_of_tutorial),
            "octavas y disposición de los acordes, duraciones, silencios, intensidad, instrumentos, percusión y tempo",
            timed=False,
        ),
        Encoding(
            "pitches",
            _encode_pitches,
            _decoder(_pitches_of_names),
            "duraciones, silencios, intensidad, instrumentos, percusión y tempo",
            timed=False,
        ),
        Encoding(
            "events",
            _encode_events,
            _decode_events,
            "intensidad, instrumentos, percusión y tempo; los tiempos se redondean a 1/24 de negra",
        ),
        Encoding(
            "events+velocity",
            partial(_encode_events, velocity_of=nearest_dynamic),
            _decode_events,
            "instrumentos, percusión y tempo; los tiempos se redondean a 1/24 de negra y la intensidad, a ocho matices",
        ),
        Encoding(
            "grid",
            _encode_grid,
            _decode_grid,
            "intensidad, instrumentos, percusión y tempo, notas de adorno y, donde suenan más de cuatro notas, las de "
            "dentro; los tiempos se redondean a semicorcheas",
        ),
    )
}


def get_encoding(name):
    """Return the encoding of that name, or raise ParameterError with those that exist."""
    if name not in ENCODINGS:
        *others, last = ENCODINGS
        known = ", ".join(others)
        raise ParameterError(f"no existe la codificación «{name}»: elige {known} o {last}")
    return ENCODINGS[name]


def decode_song(tokens, encoding, step_ql=0.5, **sound):
    """Return a Song that plays the tokens.

    step_ql: quarter lengths that a token lasts where tokens have no times
    sound: the Song's other fields, such as program and tempo_bpm
    """
    return Song(get_encoding(encoding).decode(tokens, step_ql), **sound)


def prompt_end_ql(tokens, encoding_name, step_ql=0.5):
    """Return the onset of the first symbol that follows a prompt, in quarter lengths.

    tokens: those of the prompt, a song's beginning cut anywhere before its END
    step_ql: as in `decode_song`

    It is the sum of the prompt's waits: of a prompt that is cut inside a
    chord, or inside a sixteenth of the grid, the onset of that chord or
    sixteenth. See `whole_chords`.
    """
    if not get_encoding(encoding_name).timed:
        return len(tokens) * step_ql
    body = _body(tokens)
    if encoding_name == "grid":
        return len(body) // N_VOICES / SIXTEENTHS
    return sum(_wait(token) for token in body) / TICKS


def whole_chords(tokens, encoding_name):
    """Return the longest beginning of a prompt that ends where a chord or sixteenth does.

    Then every note that was given begins before `prompt_end_ql`, and every
    note that follows begins there or later.
    """
    tokens, n_cut = list(tokens), 0
    if encoding_name == "grid":
        n_cut = len(_body(tokens)) % N_VOICES
    elif get_encoding(encoding_name).timed:
        waits = [_wait(token) for token in _body(tokens)]
        while n_cut < len(waits) and not waits[-1 - n_cut]:
            n_cut += 1
    return tokens[: len(tokens) - n_cut]


def _wait(token):
    """Return the ticks from an event's token to the next; none after the unknown one."""
    return 0 if token == UNKNOWN else _read_event(token)[2]


# Tokens and ids


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have an id: token k has id k.

    Id 0 is the unknown symbol; then come START, END, the hold and the rests,
    then the notes from low to high and from short to long, then the chords
    by their numbers of notes and pitches.
    """

    tokens: tuple[str, ...]

    def __post_init__(self):
        if (
            not self.tokens
            or not all(isinstance(token, str) for token in self.tokens)
            or self.tokens[0] != UNKNOWN
            or len(set(self.tokens)) < len(self)
        ):
            raise VocabularyError(
                "el vocabulario está dañado: debe empezar por el símbolo desconocido y no "
                "repetir ninguno; vuelve a crearlo con Vocabulary.fit"
            )
        object.__setattr__(self, "_ids", {token: k for k, token in enumerate(self.tokens)})

    @classmethod
    def fit(cls, sequences):
        """Return the vocabulary of the token sequences of the training songs."""
        found = {token for tokens in sequences for token in tokens} - {UNKNOWN}
        return cls((UNKNOWN, *sorted(found, key=token_key)))

    def __len__(self):
        return len(self.tokens)

    def to_ids(self, tokens, strict=False):
        """Return an int32 array (n_tokens,); tokens that it lacks become id 0.

        Raises VocabularyError for the first of those if strict.
        """
        missing = [token for token in tokens if token not in self._ids] if strict else []
        if missing:
            near = get_close_matches(missing[0], self.tokens[1:], n=3) or self.tokens[1:4]
            raise VocabularyError(
                f"el vocabulario no tiene «{missing[0]}», que no sale en las canciones de "
                f"entrenamiento: prueba con {' o '.join(near)}"
            )
        return np.array([self._ids.get(token, 0) for token in tokens], dtype=np.int32)

    def to_tokens(self, ids):
        """Return the list of tokens of an array of ids (n_ids,)."""
        return [self.tokens[k] for k in ids]


def token_key(token):
    """Return the sort key of a token: specials, rests, notes by pitch and times, chords by size.

    Raises VocabularyError for what is a token of no encoding.
    """
    if token in SPECIALS:
        return 0, [SPECIALS.index(token)]
    if ":" in token:
        pitch, *numbers = _read_event(token)
        return (0, [len(SPECIALS), *numbers]) if pitch is None else (1, [pitch, *numbers])
    names = token.split(".")
    if token[:1].isdigit():
        return len(names) + 1, _pitch_classes(token)
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
    (n_windows, window_length) with every_step, both int32; what has two axes
    is a `Windows`, so that the memory grows with the ids and not with
    window_length.
    Raises ShortSequenceError when there is no complete window.
    """
    if window_length < 1:
        raise ParameterError(f"SEQUENCE_LEN es {window_length} y debe ser al menos 1")
    songs, starts, n_ids = [], [], 0
    for ids in sequences:
        n_starts = len(ids) - window_length
        if n_starts < 1:
            continue
        own = np.arange(n_starts, dtype=np.int32)
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
    ids, starts = np.concatenate(songs, dtype=np.int32), np.concatenate(starts)
    x = Windows(ids, starts, window_length)
    return x, Windows(ids, starts + 1, window_length) if every_step else ids[starts + window_length]


class Windows:
    """Windows of a long array of ids, cut when they are asked for.

    It stands for an int32 array (n_windows, window_length): indexing and
    np.asarray give copies of what they ask for. It takes the memory of the
    ids and one number a window.

    ids: int32 array (n_ids,); starts: int array (n_windows,)
    """

    dtype, ndim = np.dtype(np.int32), 2

    def __init__(self, ids, starts, window_length):
        self.ids, self.starts, self.shape = ids, starts, (len(starts), window_length)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, key):
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        return self.ids[self.starts[key][..., None] + np.arange(self.shape[1])]

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("windows overlap: an array of them is always a copy")
        return self[:].astype(dtype or self.dtype, copy=False)
