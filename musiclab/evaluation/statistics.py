"""What songs are like: MusPy's statistics, one collection beside another.

Conventions: a statistic is a function from a Song to a number, with the
name and the definition that it has in MusPy (Dong et al. 2020, MusPy: a
toolkit for symbolic music generation, https://salu133445.github.io/muspy/metrics.html),
but with exact times in place of time steps. As there, what would divide by
nothing is NaN: every rate, entropy and polyphony of a song without notes.
"""

from collections import Counter
from math import ceil, floor

import numpy as np

from musiclab.errors import ParameterError

MAJOR = (0, 2, 4, 5, 7, 9, 11)


# Statistics of pitches


def pitch_range(song):
    """Return the semitones between the lowest and the highest pitch, an int; 0 without notes."""
    pitches = _pitches(song)
    if not len(pitches):
        return 0
    return int(np.ptp(pitches))


def n_pitches_used(song):
    """Return how many different pitches a song has."""
    return len(np.unique(_pitches(song)))


def n_pitch_classes_used(song):
    """Return how many different pitch classes a song has, 12 at most."""
    return len(np.unique(_pitches(song) % 12))


def pitch_entropy(song):
    """Return the entropy of the pitches of all notes, in bits."""
    return _entropy(np.bincount(_pitches(song), minlength=128))


def pitch_class_entropy(song):
    """Return the entropy of the pitch classes of all notes, in bits; log2(12) = 3.58 at most.

    Source: Wu and Yang (2020), The Jazz Transformer on the front line.
    """
    return _entropy(np.bincount(_pitches(song) % 12, minlength=12))


def scale_consistency(song):
    """Return the largest share of the notes that one scale holds.

    Among the 12 major scales; the natural minor ones are the same sets.
    Source: Mogren (2016), C-RNN-GAN.
    """
    counts = np.bincount(_pitches(song) % 12, minlength=12)
    # How many notes the major scale of each root holds.
    in_scale = []
    for root in range(12):
        scale = np.add(MAJOR, root) % 12
        in_scale.append(counts[scale].sum())
    return _ratio(max(in_scale), counts.sum())


# Statistics of time


def polyphony(song):
    """Return the mean number of different pitches that sound while any does."""
    lengths_ql, on = _piano_roll(song)
    n_sounding = on.sum(axis=1)
    # Each span counts as long as it lasts; silence does not count.
    return _ratio(lengths_ql @ n_sounding, lengths_ql @ (n_sounding > 0))


def polyphony_rate(song, threshold=2):
    """Return the share of a song's time in which more than `threshold` pitches sound.

    Source: Dong et al. (2018), MuseGAN.
    """
    lengths_ql, on = _piano_roll(song)
    more = on.sum(axis=1) > threshold
    return _ratio(lengths_ql @ more, lengths_ql.sum())


def empty_beat_rate(song):
    """Return the share of a song's quarters in which no note sounds.

    A note that ends on a beat does not sound in it; MusPy counts it there.
    Source: Dong et al. (2018), Pypianoroll.
    """
    full = set()  # the beats in which a note sounds
    for event in song.events:
        first = floor(_tidy(event.onset_ql))
        end = ceil(_tidy(event.end_ql))
        full |= set(range(first, max(end, first + 1)))  # a grace note sounds too
    n_beats = max(full, default=-1) + 1
    return _ratio(n_beats - len(full), n_beats)


def groove_consistency(song, measure_ql=4.0, steps_per_ql=12):
    """Return how alike the onsets of neighbouring bars are: 1 where all are the same.

    One less the mean share of steps of the bar at which one of two
    neighbours has an onset and the other has none; NaN with a single bar.
    Without `measure_ql` all are measured in 4/4, whatever their bars.

    Source: Wu and Yang (2020), The Jazz Transformer on the front line.
    """
    n_steps = round(measure_ql * steps_per_ql)
    steps = [round(event.onset_ql * steps_per_ql) for event in song.events]
    onsets = np.array(steps, dtype=int)
    n_bars = onsets.max(initial=-1) // n_steps + 1
    # Where notes begin: a row a bar, a column a step.
    bars = np.zeros((n_bars, n_steps), dtype=bool)
    bars[onsets // n_steps, onsets % n_steps] = True
    # Each bar beside the one before it.
    changed = bars[1:] != bars[:-1]
    return 1 - _ratio(changed.sum(), changed.size)


def _pitches(song):
    return np.array([pitch for event in song.events for pitch in event.pitches], dtype=int)


def _piano_roll(song):
    """Return the spans of a song in which nothing changes, and which pitches sound in each.

    lengths_ql: (n_spans,); on: bool (n_spans, 128)
    """
    onsets_ql = [_tidy(event.onset_ql) for event in song.events]
    ends_ql = [_tidy(event.end_ql) for event in song.events]
    bounds_ql = np.unique([0.0, *onsets_ql, *ends_ql])
    # The numbers of the spans between which each note sounds.
    firsts = np.searchsorted(bounds_ql, onsets_ql)
    ends = np.searchsorted(bounds_ql, ends_ql)
    on = np.zeros((len(bounds_ql) - 1, 128), dtype=bool)
    for event, first, end in zip(song.events, firsts, ends, strict=True):
        on[first:end, event.pitches] = True
    return np.diff(bounds_ql), on


def _tidy(ql):
    return round(ql, 6)  # three thirds of a quarter make one


def _entropy(counts):
    present = counts[counts > 0]
    if not len(present):
        return np.nan
    shares = present / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # + 0.0: never -0.0


def _ratio(part, whole):
    return float(part / whole) if whole else np.nan


# A collection beside another
STATISTICS = {
    pitch_range: "ámbito (semitonos)",
    n_pitches_used: "alturas distintas",
    n_pitch_classes_used: "clases de altura distintas",
    pitch_entropy: "entropía de las alturas (bits)",
    pitch_class_entropy: "entropía de las clases de altura (bits)",
    scale_consistency: "notas dentro de una escala",
    polyphony: "alturas simultáneas",
    polyphony_rate: "tiempo con más de dos alturas",
    empty_beat_rate: "negras en silencio",
    groove_consistency: "ritmo que se repite de compás en compás",
}


def statistics_of(songs):
    """Return {name: float array (n_songs,)} of all statistics of songs."""
    found = {}
    for statistic in STATISTICS:
        values = [statistic(song) for song in songs]
        found[statistic.__name__] = np.array(values, dtype=float)
    return found


def statistics_table(corpus, generated):
    """Return a Spanish table: mean ± standard deviation of each statistic, corpus and generated.

    corpus, generated: Songs. Those without a value (NaN) are left out of the
    mean; where none has one it says «sin datos».
    """
    sides = [statistics_of(corpus), statistics_of(generated)]
    rows = [("estadística", f"corpus ({len(corpus)})", f"generadas ({len(generated)})")]
    for statistic, label in STATISTICS.items():
        figures = [_mean_and_spread(side[statistic.__name__]) for side in sides]
        rows.append((label, *figures))
    # Each column as wide as its longest text, names to the left, numbers to the right.
    columns = zip(*rows, strict=True)
    names, ours, theirs = (max(map(len, column)) for column in columns)
    lines = []
    for name, a, b in rows:
        lines.append(f"{name:<{names}}  {a:>{ours}}  {b:>{theirs}}")
    return "\n".join(lines)


def _mean_and_spread(values):
    known = values[~np.isnan(values)]
    if not len(known):
        return "sin datos"
    return f"{known.mean():.2f} ± {known.std():.2f}"


# How the values of all notes are shared out
ASPECTS = ("pitch_class", "pitch", "duration", "interval")


def shares_of(songs, what="pitch_class"):
    """Return {value: share} of all the notes of songs, by ascending value; empty without notes.

    what: pitch_class (0-11), pitch (MIDI number), duration (quarter lengths)
        or interval: the semitones by which the upper line moves, see `skyline`

    Raises ParameterError for any other.
    """
    if what not in ASPECTS:
        raise ParameterError(f"no se puede repartir «{what}»: elige {' o '.join(ASPECTS)}")
    counts = Counter()
    for song in songs:
        counts.update(_values(song, what))
    n = counts.total()
    return {value: counts[value] / n for value in sorted(counts)}


def _values(song, what):
    if what == "duration":
        return [_tidy(event.duration_ql) for event in song.events for _ in event.pitches]
    if what == "interval":
        return np.diff(skyline(song)).tolist()
    pitches = _pitches(song)
    if what == "pitch_class":
        pitches = pitches % 12
    return pitches.tolist()


def skyline(song):
    """Return the pitches of a song's upper line, an int array.

    The highest note of each onset, but for those below a note of the line
    that still sounds.

    Source: Uitdenbogerd and Zobel (1998), Manipulation of music for melody matching.
    """
    # By onset, and of those that begin together the highest first.
    events = sorted(song.chords(), key=lambda event: (_tidy(event.onset_ql), -event.pitches[-1]))
    line, end_ql, last_onset_ql = [], 0.0, None
    for event in events:
        onset_ql = _tidy(event.onset_ql)
        pitch = event.pitches[-1]
        still_sounds = onset_ql < end_ql
        below = line and pitch < line[-1] and still_sounds
        # The first event of an onset has its highest note.
        if onset_ql != last_onset_ql and not below:
            line.append(pitch)
            end_ql = _tidy(event.end_ql)
        last_onset_ql = onset_ql
    return np.array(line, dtype=int)


def overlapping_area(shares, others):
    """Return what two histograms {value: share} have in common: 1 if equal, 0 if nothing.

    One less their total variation distance. Yang and Lerch (2020), On the
    evaluation of generative models in music, take this area of the smoothed
    densities of distances; here it is that of the histograms themselves.
    """
    if not (shares and others):
        return np.nan
    common = [min(share, others.get(value, 0.0)) for value, share in shares.items()]
    return float(sum(common))


# A song beside itself


def chroma(song, frame_ql=1.0):
    """Return how long each pitch class sounds in each frame of a song, an array (n_frames, 12).

    In frames; two notes of one class count twice, grace notes nothing.
    """
    end_ql = max((event.end_ql for event in song.events), default=0)
    n_frames = ceil(_tidy(end_ql / frame_ql))
    sounds = np.zeros((n_frames, 12))
    for event in song.events:
        # Times in frames, and how much of each frame the note fills.
        onset = _tidy(event.onset_ql / frame_ql)
        end = _tidy(event.end_ql / frame_ql)
        frames = np.arange(floor(onset), ceil(end))
        lengths = np.minimum(frames + 1, end) - np.maximum(frames, onset)
        for pitch in event.pitches:
            sounds[frames, pitch % 12] += lengths
    return sounds


def similarity_matrix(song, frame_ql=1.0):
    """Return how alike the frames of a song are, an array (n_frames, n_frames) from 0 to 1.

    The cosine of the angle between their chroma; silence is like silence,
    and nothing else is.

    frame_ql: quarter lengths of a frame
    Source: Foote (1999), Visualizing music and audio using self-similarity.
    """
    sounds = chroma(song, frame_ql)
    lengths = np.linalg.norm(sounds, axis=1, keepdims=True)
    silent = lengths == 0
    # Of vectors of length 1 the product is the cosine; those of silence are all 0.
    directions = sounds / np.where(silent, 1, lengths)
    cosines = np.clip(directions @ directions.T, 0, 1)
    return cosines + (silent & silent.T)
