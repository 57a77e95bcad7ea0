"""Songs to train on and songs to judge by; transpositions of the former."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import filterfalse

import numpy as np

from musiclab.errors import DatasetError, ParameterError

RUN_OF_A_TUNE, OSTINATO = 16, 4  # events


@dataclass(frozen=True)
class Split:
    """Songs to train on, and songs kept apart to judge by (el conjunto de validación)."""

    train: tuple
    held_out: tuple


def split_by_song(songs, seed, fraction=0.1):
    """Split songs at random; versions of one tune are never on both sides.

    Songs are versions of one tune when they share a run of RUN_OF_A_TUNE
    events, in whatever key, octave and rhythm, that is no ostinato: one that
    repeats itself every OSTINATO events or sooner is everybody's.

    fraction: of the songs that are held out; never more, but at least one tune
    Raises DatasetError when there are not two different songs.
    """
    if not 0 < fraction < 1:
        raise ParameterError(f"la fracción de validación es {fraction} y debe estar entre 0 y 1")
    tunes = _tunes(songs)
    if len(tunes) < 2:
        what = "canción distinta" if len(tunes) == 1 else "canciones distintas"
        raise DatasetError(
            f"hay {len(tunes)} {what} y hacen falta al menos 2, "
            "una para entrenar y otra para validar: añade ficheros a la carpeta"
        )
    n_held_out = min(max(1, round(fraction * len(songs))), len(songs) - 1)
    held_out = []
    for k in np.random.default_rng(seed).permutation(len(tunes)):
        # A tune of many versions would leave too few songs to train on.
        if len(held_out) + len(tunes[k]) <= n_held_out:
            held_out += tunes[k]
    held_out = held_out or min(tunes, key=len)
    taken = {id(song) for song in held_out}
    train = [song for song in songs if id(song) not in taken]
    return Split(tuple(train), tuple(held_out))


def _tunes(songs):
    """Return the songs as lists of versions of one tune, in order of appearance."""
    # Each song points at another version, the first of a tune at itself.
    version_of = list(range(len(songs)))

    def first_of(k):
        while version_of[k] != k:
            version_of[k] = version_of[version_of[k]]  # shorten the way for the next who asks
            k = version_of[k]
        return k

    # Who shares a run with an earlier song is a version of what that one is.
    first_with = {}
    for k, song in enumerate(songs):
        for run in _telling_runs(song):
            earlier = first_with.setdefault(run, k)
            version_of[first_of(k)] = first_of(earlier)

    tunes = defaultdict(list)
    for k, song in enumerate(songs):
        tunes[first_of(k)].append(song)
    return list(tunes.values())


def _telling_runs(song):
    """Return the runs by which a tune is known: all, where it has nothing but ostinati."""
    runs = song.pitch_ngrams(RUN_OF_A_TUNE)
    return set(filterfalse(_is_ostinato, runs)) or runs


def _is_ostinato(run):
    """Return whether a whole run repeats its first few events again and again."""
    if len(run) != RUN_OF_A_TUNE:
        return False
    # Moved by its period, it is the same.
    return any(run[period:] == run[:-period] for period in range(1, OSTINATO + 1))


def pitch_limits(songs):
    """Return (lowest, highest) MIDI number of all the songs together; (0, 127) without a note."""
    pitches = set()
    for song in songs:
        for event in song.events:
            pitches.update(event.pitches)
    return (min(pitches), max(pitches)) if pitches else (0, 127)


def in_all_keys(songs, semitones, lowest=0, highest=127):
    """Return songs and their transpositions, up to so many semitones up and down.

    A transposition that would leave the range from lowest to highest is left
    out; a song itself always stays. `in_all_keys(songs, 5, *pitch_limits(songs))`
    adds no pitch beyond those of the songs together. For training songs
    alone: what is held out stays as it is.
    """
    if semitones < 0:
        raise ParameterError(f"TRANSPOSE es {semitones} y debe ser 0 (ninguna) o más")
    if not 0 <= lowest <= highest <= 127:
        raise ParameterError(
            f"el ámbito va de {lowest} a {highest} y debe ir de una altura MIDI a otra no más "
            "baja, entre 0 y 127"
        )
    shifted = []
    for song in songs:
        low, high = pitch_limits([song])
        for shift in range(-semitones, semitones + 1):
            if not shift or (lowest <= low + shift and high + shift <= highest):
                shifted.append(song.transposed(shift))
    return tuple(shifted)
