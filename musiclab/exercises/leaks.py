"""Lesson 3's exercises on who has seen what: a split without leaks, copied passages.

Conventions: songs are lists of MIDI pitches. Two songs are twins when one
is the other transposed: the same intervals, note by note.
"""

from functools import partial
from itertools import chain, pairwise

from musiclab.exercises.exercise import Exercise
from musiclab.music import NoteEvent, Song
from musiclab.playback import player

# A split without leaks


def _intervals(song):
    return tuple(following - pitch for pitch, following in pairwise(song))


def _families(songs, key=_intervals):
    """Return lists of the places of songs whose key(song) is the same."""
    families = {}
    for k, song in enumerate(songs):
        families.setdefault(key(song), []).append(k)
    return list(families.values())


def _sizes(song):
    return tuple(map(abs, _intervals(song)))


def _pitch_classes(song):
    return tuple(pitch % 12 for pitch in song)


def _split(songs, fraction, key=_intervals, order=reversed):
    """Return the places of the songs to train with, and of those that are held out.

    What students get wrong are another key of families, and another order.
    """
    # Whole families go out, from the last one on, until there are enough.
    held_out = []
    for family in order(_families(songs, key)):
        if len(held_out) >= fraction * len(songs):
            break
        held_out += family
    return _sides(songs, held_out)


def _sides(songs, held_out):
    train = [k for k in range(len(songs)) if k not in held_out]
    return train, sorted(held_out)


def _too_few(songs, fraction):
    held_out = []
    for family in reversed(_families(songs)):
        if len(held_out) + len(family) <= fraction * len(songs):
            held_out += family
    return _sides(songs, held_out)


def _without_twins(songs, fraction):
    """What comes of throwing the second of two twins away."""
    kept = {family[0] for family in _families(songs)}
    return [[k for k in side if k in kept] for side in _split(songs, fraction)]


def _collections(rng):
    do, sol, mirror = [60, 62, 64, 60], [67, 69, 71, 67], [60, 58, 56, 60]
    scale, leap, other = [60, 62, 64, 65], [60, 72, 67, 69], [64, 64, 65, 67]
    cases = [
        ([do, scale, leap, other], 0.25),
        ([scale, do, leap, do], 0.25),
        ([scale, do, leap, [72, 74, 76, 72]], 0.25),
        ([scale, do, leap, sol], 0.25),
        ([do, scale, leap, other, sol, mirror], 0.25),
        ([scale, do, mirror, leap, mirror], 0.5),
        ([do, scale, leap, sol, other, [67, 67, 68, 70], [72, 74, 76, 72]], 0.5),
    ]
    for n in (6, 9, 12):
        songs = [rng.integers(55, 75, 5).tolist() for _ in range(n)]
        # Three twins, transposed and put in anywhere.
        for k, source in enumerate(rng.choice(n, 3, replace=False).tolist()):
            shift = int(rng.integers(1, 6))
            place = int(rng.integers(0, n)) + k
            songs.insert(place, [pitch + shift for pitch in songs[source]])
        cases.append((songs, 0.25))
    return cases


def _show_families(arguments, expected, got):
    """Say which songs are twins, and where the student's twins are parted."""
    songs, _ = arguments
    held_out = set(got[1])
    lines = []
    for family in _families(songs):
        names = " y ".join(map(str, family))
        if len(family) > 1:
            lines.append(f"Gemelas: {names}.")
        # Some of them are held out, and some are not.
        if 0 < len(held_out.intersection(family)) < len(family):
            lines.append(f"Tienes {names} en lados distintos.")
    return "".join(f"<br>{line}" for line in lines)


_WRONG_REPARTIR = {
    "absolute_intervals": (
        partial(_split, key=_sizes),
        "Has quitado el signo a los intervalos: subir dos semitonos no es bajar dos.",
    ),
    "pitch_classes": (
        partial(_split, key=_pitch_classes),
        (
            "Has comparado clases de altura: solo juntan lo que está en la misma tonalidad. "
            "Compara los intervalos."
        ),
    ),
    "pitches": (
        partial(_split, key=tuple),
        (
            "Has comparado alturas: una gemela transportada no comparte ninguna. Compara los "
            "intervalos, la diferencia entre cada nota y la siguiente."
        ),
    ),
    "parted_twins": (
        partial(_split, key=lambda song: object()),  # no song is like another
        (
            "Has repartido canciones sueltas: las gemelas, que son la misma transportada, quedan "
            "en lados distintos. Aparta familias enteras."
        ),
    ),
    "first_families": (
        partial(_split, order=iter),
        "Has apartado las primeras familias: empieza por la última.",
    ),
    "too_few": (
        _too_few,
        (
            "Has apartado de menos: sigue hasta que las apartadas sean, al menos, "
            "fraccion * len(canciones)."
        ),
    ),
    "thrown_away": (
        _without_twins,
        "Has tirado las gemelas: todas las canciones deben quedar en un lado o en el otro.",
    ),
    "songs": (
        lambda songs, fraction: [[songs[k] for k in side] for side in _split(songs, fraction)],
        "Devuelves las canciones, y se piden sus posiciones en la lista.",
    ),
    "swapped": (
        lambda songs, fraction: _split(songs, fraction)[::-1],
        "Los dos lados están cambiados: primero entrenamiento y después validación.",
    ),
}

REPARTIR = Exercise("repartir", _split, _collections, _WRONG_REPARTIR, show=_show_families)

# Copied passages


def _passages(song, length, key=_intervals):
    """Return key(passage) of all passages of so many notes in a row."""
    starts = range(len(song) - length + 1)
    return [key(song[start : start + length]) for start in starts]


def _copied(song, others, passages=_passages):
    """Return the most notes in a row that the song shares with one of the others."""
    # From the longest passages that there may be to single notes.
    for length in range(len(song), 0, -1):
        ours = set(passages(song, length))
        for other in others:
            if not ours.isdisjoint(passages(other, length)):
                return length
    return 0


def _within_the_octave(passage):
    return tuple(step % 12 for step in _intervals(passage))


def _placed(song, length):
    """Return passages with their places: what comes of comparing those at the same place only."""
    return enumerate(_passages(song, length))


def _with_gaps(song, others):
    """What comes of notes in order, but not in a row: the longest common subsequence of steps."""
    if not song or not any(others):
        return 0
    ours = _intervals(song)
    return 1 + max(_in_common(ours, _intervals(other)) for other in others)


def _in_common(ours, theirs):
    longest = [0] * (len(theirs) + 1)  # what the steps so far share with so many of theirs
    for step in ours:
        before = longest
        longest = [0]
        for k, their_step in enumerate(theirs):
            skipped = max(before[k + 1], longest[k])
            longest.append(before[k] + 1 if step == their_step else skipped)
    return longest[-1]


def _copy_cases(rng):
    scale, leaps = [60, 62, 64, 65, 67], [60, 67, 62, 71, 64]
    cases = [
        ([60, 62, 64], [[60, 62, 64]]),
        ([60, 62, 64], []),
        ([60, 62, 64, 65], [[60, 62, 64, 70], [50, 65]]),
        ([60, 62, 64, 65], [[50, 65], [60, 62, 64, 70]]),
        ([60, 67, 62, 64, 65, 70], [[60, 61, 56, 62, 64, 65, 70]]),
        ([60, 62, 64], [[48], [70, 65, 71]]),
        (scale, [leaps, [71, 67, 69, 71, 72, 66]]),
        (scale, [[72, 74, 71, 72, 80]]),
        ([60, 62, 64, 65], [[70, 68, 66, 65]]),
        ([60, 62, 64, 65], [[60, 62, 52, 53]]),
        (scale, [[50, 52, 54], [55, 57]]),
    ]
    for n in (10, 16, 24):
        # A passage of the song, transposed.
        song = rng.integers(55, 75, n).tolist()
        start = int(rng.integers(0, n // 2))
        length = int(rng.integers(4, n // 2))
        shift = int(rng.integers(1, 7))
        passage = [pitch + shift for pitch in song[start : start + length]]
        # It stands in the second of three others.
        others = [rng.integers(55, 75, n).tolist() for _ in range(2)]
        place = int(rng.integers(0, n))
        others.insert(1, others[0][:place] + passage + others[1][place:])
        cases.append((song, others))
    return cases


def _show_passage(arguments, expected, got):
    """Play the passage that both songs share."""
    song, others = arguments
    passages = _passages(song, expected, key=list)
    shared = next(passage for passage in passages if _copied(passage, others) == expected)
    events = tuple(NoteEvent(0.5 * k, 0.5, (pitch,)) for k, pitch in enumerate(shared))
    return player(Song(events), f"El pasaje compartido: {expected} notas").data


_WRONG_PASAJE_COPIADO = {
    "pitches": (
        partial(_copied, passages=partial(_passages, key=tuple)),
        "Has comparado alturas: en otra tonalidad no coincide ninguna. Compara los intervalos.",
    ),
    "counts_intervals": (
        lambda song, others: _copied(song, others) - 1,
        "Has contado intervalos: entre n notas seguidas hay n − 1, así que falta una nota.",
    ),
    "pitch_classes": (
        partial(_copied, passages=partial(_passages, key=_within_the_octave)),
        "Has comparado los intervalos sin la octava: subir dos semitonos no es bajar diez.",
    ),
    "absolute_intervals": (
        partial(_copied, passages=partial(_passages, key=_sizes)),
        "Has quitado el signo a los intervalos: subir dos semitonos no es bajar dos.",
    ),
    "joined_songs": (
        lambda song, others: _copied(song, [[*chain(*others)]]),
        "El pasaje cruza de una canción a otra: no las juntes en una lista, míralas una a una.",
    ),
    "first_song": (
        lambda song, others: _copied(song, others[:1]),
        "Solo has mirado la primera de las otras canciones: mira todas.",
    ),
    "last_song": (
        lambda song, others: _copied(song, others[-1:]),
        "Te quedas con la última de las otras canciones: guarda el máximo de todas.",
    ),
    "same_place": (
        partial(_copied, passages=_placed),
        (
            "Solo has comparado el mismo lugar de las dos canciones: un pasaje puede empezar en "
            "cualquier nota de cada una."
        ),
    ),
    "beginning": (
        lambda song, others: max(
            (n for n in range(len(song) + 1) if _copied(song[:n], others) == n), default=0
        ),
        "Solo has mirado pasajes que empiezan con la canción: prueba todos los comienzos.",
    ),
    "gaps": (
        _with_gaps,
        "Has saltado notas: el pasaje debe ser de notas seguidas.",
    ),
}

PASAJE_COPIADO = Exercise(
    "pasaje_copiado", _copied, _copy_cases, _WRONG_PASAJE_COPIADO, show=_show_passage
)
