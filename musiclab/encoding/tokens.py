"""Songs to tokens, tokens to ids, ids to windows, and back.

Conventions: a token is a string, an id an integer; pitch names are
music21's (C4 is middle C, E- is E flat), flats but for C#, F# and G#.

Each encoding says in `loses` what a song does not get back from it. Those
with times begin a song with START and close it with END; their `decode`
stops at END, passes over START and what is unknown, and takes any order of
their tokens, as a network may write them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise, takewhile

import numpy as np

from musiclab.errors import ParameterError, VocabularyError
from musiclab.music import NoteEvent, Song, pitch_name, pitch_number
from musiclab.music.pitch import normal_order
from musiclab.music.voices import (
    DEFAULT_VELOCITY,
    N_VOICES,
    SIXTEENTHS,
    GridNote,
    events_of_notes,
    grid_to_song,
    notes_on_grid,
    song_to_voices,
)

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


def _encode_tutorial(song):
    tokens = []
    for event in song.chords():
        if len(event.pitches) == 1:
            tokens.append(pitch_name(event.pitches[0]))
        else:  # a chord's octaves are lost
            classes = normal_order(pitch % 12 for pitch in event.pitches)
            tokens.append(".".join(map(str, classes)))
    return tokens


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
    tokens = []
    for event in song.chords():
        names = [pitch_name(pitch) for pitch in event.pitches]
        tokens.append(".".join(dict.fromkeys(names)))  # the lowest octave may repeat one
    return tokens


def _pitches_of_names(token):
    return tuple(sorted({pitch_number(name) for name in token.split(".")}))


def _decoder(pitches_of):
    def decode(tokens, step_ql=0.5):
        events = []
        for k, token in enumerate(tokens):
            events.append(NoteEvent(k * step_ql, step_ql, pitches_of(token)))
        return tuple(events)

    return decode


# Tokens with times


def nearest_dynamic(velocity):
    """Return the velocity (16, 32, ..., 112, 127) of the nearest of DYNAMICS."""
    return _velocity_of(_rank_of(velocity))


def _rank_of(velocity):
    """Return which of DYNAMICS is the nearest to a velocity; they lie 16 apart."""
    nearest = (velocity + 8) // 16 - 1
    return min(max(nearest, 0), len(DYNAMICS) - 1)


def _velocity_of(rank):
    return min(16 * (rank + 1), 127)


def _encode_events(song, velocity_of=None):
    """Return one token a note, such as C4:1:1/2, or C4:1:1/2:mf with velocities.

    Its fields are the pitch, the duration and the wait until the next token
    (0 within a chord), in quarter lengths, fractions on a grid of TICKS. Of
    one onset come first the grace notes (duration 0), then the others, from
    high to low. rest:1 stands where nothing sounds. The last wait runs to the
    end of the song.
    """
    # When each token begins, and its text but for the wait.
    starts, texts, end = [], [], 0
    notes = notes_on_grid(song, TICKS, velocity_of)
    for note in sorted(notes, key=lambda n: (n.start, n.stop > n.start, -n.pitch, n)):
        # Nothing sounds between the end of all notes so far and this one.
        if note.start > end:
            starts.append(end)
            texts.append((REST, ""))
        name = f"{pitch_name(note.pitch)}:{_fraction(note.stop - note.start)}"
        dynamic = f":{DYNAMICS[_rank_of(note.velocity)]}" if velocity_of else ""
        starts.append(note.start)
        texts.append((name, dynamic))
        end = max(end, note.stop)
    # Each waits until the next begins, the last until the song ends.
    tokens = [START]
    for (name, dynamic), (start, following) in zip(texts, pairwise([*starts, end]), strict=True):
        tokens.append(f"{name}:{_fraction(following - start)}{dynamic}")
    return [*tokens, END]


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
    velocity = _velocity_of(DYNAMICS.index(dynamic)) if dynamic else DEFAULT_VELOCITY
    pitch = None if name is None else pitch_number(name)
    duration_ticks = int(TICKS * Fraction(duration or 0))
    wait_ticks = int(TICKS * Fraction(wait))
    return pitch, duration_ticks, wait_ticks, velocity


def _encode_grid(song):
    """Return four tokens a sixteenth, from soprano to bass: a pitch, HOLD or REST."""
    grid, begins = song_to_voices(song)
    # Sixteenth by sixteenth, in each of them voice by voice.
    pitches, are_new = grid.ravel().tolist(), begins.ravel().tolist()
    tokens = [START]
    for pitch, is_new in zip(pitches, are_new, strict=True):
        held = HOLD if pitch else REST
        tokens.append(pitch_name(pitch) if is_new else held)
    return [*tokens, END]


def _decode_grid(tokens, step_ql=None):
    # The place of a token says whose it is: an unknown one holds what sounds,
    # and the voices that a cut leaves out hold until the others end.
    cells = [HOLD if token == UNKNOWN else token for token in _body(tokens)]
    cells += [HOLD] * (-len(cells) % N_VOICES)
    grid = np.zeros((len(cells) // N_VOICES, N_VOICES), dtype=int)
    begins = np.zeros(grid.shape, dtype=bool)
    for k, token in enumerate(cells):
        step, voice = divmod(k, N_VOICES)
        # A held note is the one of the sixteenth before; nothing precedes the first.
        if token == HOLD and step > 0:
            grid[step, voice] = grid[step - 1, voice]
        elif token not in (HOLD, REST):
            grid[step, voice] = pitch_number(token)
            begins[step, voice] = True
    return grid_to_song(grid, begins).events


def _body(tokens):
    """Return the tokens that stand for music, those before END and not START."""
    before_end = takewhile(lambda token: token != END, tokens)
    return [token for token in before_end if token != START]


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
        # Tokens that wait for nothing belong to a chord that goes on.
        waits = [_wait(token) for token in _body(tokens)]
        while n_cut < len(waits) and not waits[-1 - n_cut]:
            n_cut += 1
    return tokens[: len(tokens) - n_cut]


def _wait(token):
    """Return the ticks from an event's token to the next; none after the unknown one."""
    return 0 if token == UNKNOWN else _read_event(token)[2]


def token_key(token):
    """Return the sort key of a token: specials, rests, notes by pitch and times, chords by size.

    Raises VocabularyError for what is a token of no encoding.
    """
    if token in SPECIALS:
        return 0, [SPECIALS.index(token)]
    if ":" in token:
        pitch, *numbers = _read_event(token)
        if pitch is None:  # rests stand behind the specials
            return 0, [len(SPECIALS), *numbers]
        return 1, [pitch, *numbers]
    names = token.split(".")
    # A lone number is a doubled note, and so a chord of two.
    if token[:1].isdigit():
        return len(names) + 1, _pitch_classes(token)
    return len(names), [pitch_number(name) for name in names]


def token_events(tokens, encoding, step_ql=0.5):
    """Return what each token plays, a list of NoteEvents, None for one that plays nothing.

    step_ql: quarter lengths that a token lasts where tokens have no times

    As in the encoding's `decode`, what follows END plays nothing. In `grid`
    a token plays a sixteenth of its voice, held or not. Raises
    VocabularyError for a token of another encoding.
    """
    kind = get_encoding(encoding)
    body = list(takewhile(lambda token: token != END, tokens))
    nothing = [None] * (len(tokens) - len(body))
    if encoding == "grid":
        return _grid_events(body) + nothing
    events, now = [], 0  # in ticks
    for k, token in enumerate(body):
        # What it plays by itself, moved to its place in the song.
        known = token not in (UNKNOWN, START)
        played = kind.decode([token], step_ql) if known else ()
        onset_ql = now / TICKS if kind.timed else k * step_ql
        events.append(replace(played[0], onset_ql=onset_ql) if played else None)
        if kind.timed and known:
            now += _wait(token)
    return events + nothing


def _grid_events(tokens):
    sounding = [0] * N_VOICES  # the pitch of each voice, 0 for silence
    events, n_cells = [], 0
    for token in tokens:
        if token == START:
            events.append(None)
            continue
        step, voice = divmod(n_cells, N_VOICES)
        n_cells += 1
        if token == REST:
            sounding[voice] = 0
        elif token not in (HOLD, UNKNOWN):  # those hold what sounds
            sounding[voice] = pitch_number(token)
        pitch = sounding[voice]
        onset_ql = step / SIXTEENTHS
        events.append(NoteEvent(onset_ql, 1 / SIXTEENTHS, (pitch,)) if pitch else None)
    return events
