"""What songs are like: MusPy's statistics, one collection beside another.

Conventions: a statistic is a function from a Song to a number, with the
name and the definition that it has in MusPy (Dong et al. 2020, MusPy: a
toolkit for symbolic music generation, https://salu133445.github.io/muspy/metrics.html),
but with exact times in place of time steps. As there, what would divide by
nothing is NaN: every rate, entropy and polyphony of a song without notes.
"""

import numpy as np

MAJOR = (0, 2, 4, 5, 7, 9, 11)

# Statistics of pitches


def pitch_range(song):
    """Return the semitones between the lowest and the highest pitch; 0 without notes."""
    pitches = _pitches(song)
    return int(np.ptp(pitches)) if len(pitches) else 0


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
    in_scale = max(counts[np.add(MAJOR, root) % 12].sum() for root in range(12))
    return _ratio(in_scale, counts.sum())


# Statistics of time


def polyphony(song):
    """Return the mean number of different pitches that sound while any does."""
    lengths_ql, on = _piano_roll(song)
    return _ratio(lengths_ql @ on.sum(axis=1), lengths_ql @ on.any(axis=1))


def polyphony_rate(song, threshold=2):
    """Return the share of a song's time in which more than `threshold` pitches sound.

    Source: Dong et al. (2018), MuseGAN.
    """
    lengths_ql, on = _piano_roll(song)
    return _ratio(lengths_ql @ (on.sum(axis=1) > threshold), lengths_ql.sum())


def empty_beat_rate(song):
    """Return the share of a song's quarters in which no note sounds.

    A note that ends on a beat does not sound in it; MusPy counts it there.
    Source: Dong et al. (2018), Pypianoroll.
    """
    full = set()
    for event in song.events:
        first = int(_tidy(event.onset_ql))
        full |= set(range(first, max(first + 1, int(np.ceil(_tidy(event.end_ql))))))
    n_beats = max(full, default=-1) + 1
    return _ratio(n_beats - len(full), n_beats)


def groove_consistency(song, measure_ql=4.0, steps_per_ql=12):
    """Return how alike the onsets of neighbouring bars are: 1 where all are the same.

    One less the mean share of steps of the bar at which one of two
    neighbours has an onset and the other has none; NaN with a single bar.
    Our songs do not say their metre: without `measure_ql` all are measured
    in 4/4.

    Source: Wu and Yang (2020), The Jazz Transformer on the front line.
    """
    n_steps = round(measure_ql * steps_per_ql)
    onsets = np.array([round(event.onset_ql * steps_per_ql) for event in song.events], dtype=int)
    bars = np.zeros((onsets.max(initial=-1) // n_steps + 1, n_steps), dtype=bool)
    bars[onsets // n_steps, onsets % n_steps] = True
    changed = bars[1:] != bars[:-1]
    return 1 - _ratio(changed.sum(), changed.size)


def _pitches(song):
    return np.array([pitch for event in song.events for pitch in event.pitches], dtype=int)


def _piano_roll(song):
    """Return (lengths_ql (n_spans,), on (n_spans, 128)): between two boundaries nothing changes."""
    onsets = [_tidy(event.onset_ql) for event in song.events]
    ends = [_tidy(event.end_ql) for event in song.events]
    bounds = np.unique([0.0, *onsets, *ends])
    on = np.zeros((len(bounds) - 1, 128), dtype=bool)
    spans = zip(np.searchsorted(bounds, onsets), np.searchsorted(bounds, ends), strict=True)
    for event, (first, last) in zip(song.events, spans, strict=True):
        on[first:last, event.pitches] = True
    return np.diff(bounds), on


def _tidy(ql):
    return round(ql, 6)  # three thirds of a quarter make one


def _entropy(counts):
    p = counts[counts > 0] / max(1, counts.sum())
    return float(-(p * np.log2(p)).sum()) + 0.0 if len(p) else np.nan  # + 0.0: never -0.0


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
    return {f.__name__: np.array([f(song) for song in songs], dtype=float) for f in STATISTICS}


def statistics_table(corpus, generated):
    """Return a Spanish table: mean ± standard deviation of each statistic, corpus and generated.

    corpus, generated: Songs. Those without a value (NaN) are left out of the
    mean; where none has one it says «sin datos».
    """
    sides = [statistics_of(corpus), statistics_of(generated)]
    rows = [("estadística", f"corpus ({len(corpus)})", f"generadas ({len(generated)})")]
    rows += [
        (label, *(_mean_and_spread(side[f.__name__]) for side in sides))
        for f, label in STATISTICS.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{label:<{widths[0]}}  {a:>{widths[1]}}  {b:>{widths[2]}}" for label, a, b in rows
    )


def _mean_and_spread(values):
    values = values[~np.isnan(values)]
    return f"{values.mean():.2f} ± {values.std():.2f}" if len(values) else "sin datos"
