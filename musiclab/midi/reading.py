"""The bytes of a MIDI file to a song.

Conventions: a tick is the file's, a step the grid's. A part is one channel
and program of one track. A note that is struck again while it sounds ends
there; an off ends only what began before it; a note without an off sounds to
the end of its track. Notes of a part that begin and end together on the grid
are one chord. Of tempos and signatures at one tick the last said holds, and
what is nonsense among them is passed over.

Whatever the bytes are, the answer is a song or one MidiError.
"""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import symusic

from musiclab.errors import MidiError, ParameterError
from musiclab.files import read_regular, reason, shown
from musiclab.midi.mending import joined, mend, unreadable
from musiclab.midi.tables import OFF, ON, PART, events_of, let_go, settled
from musiclab.midi.writing import FASTEST_BPM, MODES, SLOWEST_BPM
from musiclab.music import Song

STEPS_PER_QUARTER = 24  # thirty-seconds, triplets and sextuplets are exact
MAX_BYTES = 20_000_000
MAX_MARKS = 200_000  # notes, and as many tempos and signatures
MAX_QUARTERS = 100_000  # 14 hours at 120 beats a minute
LONGEST_RELEASE = 16  # quarters that a note without an off may outlast all others
RELEASES = 1, 64, 4096  # of a key that was struck so often without an off
NEVER = 2**40  # ticks
MAX_SORTED = 20  # tempos or signatures
LONGEST_EVENT = 8  # bytes of a time and an event, unless that holds a text
ALL_KEYS = b"".join(bytes((pitch, 0, 0)) for pitch in range(128))  # then comes a time of 0
REASONS = {
    "EOF": "una pista se corta a mitad de un suceso",
    "status": "tiene sucesos que no son de MIDI",
    "ticks per quarter": "cuenta el tiempo en fotogramas, no en negras",
}
REMARKS = {
    "n_strokes": "percusión omitida de los símbolos: {} golpe{s}",
    "n_unended": "{} nota{s} sin final, que suena{n} hasta el de su pista",
    "n_merged": "{} nota{s} repetida{s} a la vez en la misma tecla: se queda{n} en una",
    "n_moved": "{} nota{s} movida{s} más de 1/24 de negra",
    "n_missing": "fichero cortado: falta{n} {} byte{s}",
}


@dataclass(frozen=True)
class Reading:
    """What became of a file's notes: the meter of reading.

    n_notes: notes with a pitch that the file has
    n_moved: those whose beginning the grid moved by more than 1/24 of a quarter
    n_merged: those that fell on another of the same pitch and part
    n_strokes: strokes of percussion, which no part has
    n_unended: notes without an off
    n_missing: bytes that the file says it has, and has not
    """

    n_notes: int
    n_moved: int
    n_merged: int
    n_strokes: int
    n_unended: int
    n_missing: int

    def remarks(self):
        """Return a tuple of Spanish sentences on what is otherwise than in the file."""
        remarks = []
        for name, text in REMARKS.items():
            count = getattr(self, name)
            plural = {"s": "s", "n": "n"} if count > 1 else {"s": "", "n": ""}
            if count:
                remarks.append(text.format(count, **plural))
        return tuple(remarks)


def load_midi(path, steps_per_quarter=STEPS_PER_QUARTER):
    """Return the Song of a MIDI file; for steps_per_quarter and the errors see `read_midi`."""
    return read_midi(read_bytes(path), steps_per_quarter)[0]


def read_bytes(path):
    """Return the bytes of a file. Raises MidiError when it cannot be read."""
    try:
        return read_regular(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        what = f"no se puede abrir «{shown(Path(path).name or path)}» ({reason(error)})"
        raise MidiError(f"{what}; revisa su nombre y sus permisos") from error


def read_midi(data, steps_per_quarter=STEPS_PER_QUARTER):
    """Return (Song, Reading) of the bytes of a MIDI file.

    steps_per_quarter: of the grid of onsets and ends; a coarser one (4:
        sixteenths) tidies what a player played freely

    Raises MidiError when the bytes are no MIDI, go beyond MAX_BYTES, MAX_MARKS
    or MAX_QUARTERS, or hold no note with a pitch.
    """
    if not 1 <= steps_per_quarter <= 960:
        raise ParameterError(f"{steps_per_quarter} pasos por negra: usa de 1 a 960 para la rejilla")
    if len(data) > MAX_BYTES:
        raise unreadable(f"pasa de {MAX_BYTES / 1e6:.0f} MB")
    header, tracks, n_missing = mend(data)
    if n_missing:
        tracks[-1] = _whole_events(header, tracks[-1])
    plain = _score(header, tracks)
    score = _with_unended(plain, header, tracks)
    n_unended = score.note_num() - plain.note_num()
    latest = _latest(plain, score) if n_unended else NEVER
    sounding = [track for track in score.tracks if len(track.notes)]
    parts = [track for track in sounding if not track.is_drum]
    kits = [track for track in sounding if track.is_drum]
    if not parts:
        why = "solo tiene percusión" if kits else "no tiene ninguna nota"
        raise MidiError(f"{why}; quítalo de la carpeta")

    # From ticks of the file to steps of the grid, and from those to events.
    per_quarter = score.ticks_per_quarter
    notes, strokes = _table(parts, latest), _table(kits, latest)
    steps, n_moved, n_merged = _on_grid(notes, per_quarter, steps_per_quarter)
    strokes[PART] = 0  # a drum is one key, whichever kit it stands in
    stroke_steps, _, _ = _on_grid(strokes, per_quarter, steps_per_quarter)
    events, drums = (events_of(grid, steps_per_quarter) for grid in (steps, stroke_steps))

    last_stroke_ql = strokes[OFF].max(initial=0) / per_quarter
    end_ql = max(steps[OFF].max() / steps_per_quarter, last_stroke_ql)
    first_ql = min(played[0].onset_ql for played in (events, drums) if played)
    marks = _marks(score, header, tracks, first_ql, end_ql)
    programs = tuple(track.program for track in parts)
    several = programs if len(programs) > 1 else ()
    song = Song(events, program=programs[0], programs=several, drums=drums, **marks)
    return song, Reading(notes.shape[1], n_moved, n_merged, strokes.shape[1], n_unended, n_missing)


# Bytes to a table of ticks


def _score(header, tracks):
    """Return symusic's score of a file's tracks. Raises MidiError."""
    try:
        score = symusic.Score.from_midi(joined(header, tracks), sanitize_data=True)
    except Exception as error:  # a RuntimeError, or whatever else its C++ throws
        known = [reason for word, reason in REASONS.items() if word in str(error)]
        raise unreadable(known[0] if known else "está dañado") from error
    n_marks = len(score.tempos) + len(score.time_signatures) + len(score.key_signatures)
    if max(score.note_num(), n_marks) > MAX_MARKS:
        raise MidiError(f"tiene más de {MAX_MARKS} notas y marcas; quítalo de la carpeta")
    return score


def _with_unended(score, header, tracks):
    """Return a score with its notes without an off, too, which symusic leaves out."""
    for n_times in RELEASES:
        more = _score(header, [_released(track, n_times) for track in tracks])
        if more.note_num() == score.note_num():
            break
        score = more
    return score


def _released(track, n_times):
    """Return a track with every key of its channels let go so often at its end."""
    used = [channel for channel in range(16) if 0x90 | channel in track]
    offs = [bytes([0x80 | channel]) + ALL_KEYS for channel in used]
    return track + b"".join(offs) * n_times


def _whole_events(header, track):
    """Return a track that was cut without the piece of an event at its end, if that is short."""
    cut = track.removesuffix(b"\0")  # the time of the end
    for n_bytes in range(LONGEST_EVENT):
        whole = cut[: len(cut) - n_bytes] + b"\0"
        with suppress(MidiError):
            _score(header, [whole])
            return whole
    return track


def _latest(plain, score):
    """Return the tick at which notes without an off end at the latest."""
    known = np.append(_table(plain.tracks)[OFF], _table(score.tracks)[ON])
    return known.max() + LONGEST_RELEASE * score.ticks_per_quarter


def _table(tracks, latest=NEVER):
    """Return the notes of symusic's tracks, a part each, as a table.

    symusic gives the first off to the first on of a key, `let_go` to the note that sounds.
    """
    if not tracks:
        return np.empty((5, 0), dtype=np.int64)
    notes = [track.notes.numpy() for track in tracks]
    names = "time", "duration", "pitch", "velocity"
    on, duration, pitch, velocity = (np.concatenate([n[name] for n in notes]) for name in names)
    part = np.repeat(np.arange(len(notes)), [len(n["time"]) for n in notes])
    table = np.array([on, duration, pitch, velocity, part])
    table[OFF] = np.minimum(table[ON] + table[OFF], latest)
    return let_go(table)


def _on_grid(table, per_quarter, steps_per_quarter):
    """Return a table in steps, and how many of its notes were moved far, and merged."""
    if table[OFF].max(initial=0) > MAX_QUARTERS * per_quarter or table[ON].min(initial=0) < 0:
        raise MidiError(f"dura más de {MAX_QUARTERS} negras; acórtalo o quítalo de la carpeta")
    steps = table.copy()
    for row in (ON, OFF):
        # To the nearest step, halves upwards.
        steps[row] = (2 * table[row] * steps_per_quarter + per_quarter) // (2 * per_quarter)
    # How far, in parts of a quarter of which there are per_quarter * steps_per_quarter.
    moved = np.abs(table[ON] * steps_per_quarter - steps[ON] * per_quarter)
    far = moved * STEPS_PER_QUARTER > per_quarter * steps_per_quarter
    steps, n_merged = settled(steps)
    return steps, int(np.count_nonzero(far)), n_merged


# Tempos and signatures


def _marks(score, header, tracks, first_ql, end_ql):
    """Return what a file says of tempos, bars and keys until it ends, as fields of a Song.

    first_ql: where the first note or stroke begins
    """
    tempos = [(mark.time, mark.mspq) for mark in score.tempos]
    bars = [(mark.time, mark.numerator, mark.denominator) for mark in score.time_signatures]
    keys = [(mark.time, mark.key, mark.tonality) for mark in score.key_signatures]
    if _may_be_turned(tempos) or _may_be_turned(bars):
        tempos, bars = _marks_in_order(joined(header, tracks)) or (tempos, bars)
    # What is nonsense is passed over.
    tempos = [(tick, _tempo_bpm(micros)) for tick, micros in tempos if micros > 0]
    bars = [bar for bar in bars if bar[1] > 0 and 0 < bar[2] <= 128]
    keys = [(tick, n, MODES[mode]) for tick, n, mode in keys if abs(n) <= 7 and mode in (0, 1)]
    last_said = lambda marks: _last_said(marks, score.ticks_per_quarter, end_ql)
    tempos, bars, keys = last_said(tempos), last_said(bars), last_said(keys)
    tempo_bpm = 120.0
    # The first tempo holds from the start where it is said before anything sounds.
    if tempos and tempos[0][0] <= first_ql:
        tempo_bpm = tempos.pop(0)[1]
    return {
        "tempo_bpm": tempo_bpm,
        "tempos": _changes(tempos, (tempo_bpm,)),
        "bars": _changes(bars, (4, 4)),
        "keys": _changes(keys),
    }


def _may_be_turned(marks):
    """Return whether symusic may have turned round marks of one tick: of many it does."""
    return len(marks) > MAX_SORTED and len({mark[0] for mark in marks}) < len(marks)


def _marks_in_order(data):
    """Return the tempos and time signatures as mido, slow, reads them; None where it cannot."""
    tempos, bars, tick = [], [], 0
    with suppress(Exception):  # it raises a dozen kinds on damaged bytes
        for message in mido.MidiFile(file=io.BytesIO(data), clip=True).merged_track:
            tick += message.time
            if message.type == "set_tempo":
                tempos.append((tick, message.tempo))
            elif message.type == "time_signature":
                bars.append((tick, message.numerator, message.denominator))
        return tempos, bars


def _tempo_bpm(micros):
    """Return quarters a minute from microseconds a quarter, within what can be played."""
    return float(min(max(round(60_000_000 / micros, 2), SLOWEST_BPM), FASTEST_BPM))


def _last_said(marks, per_quarter, end_ql):
    """Return (onset_ql, what is said there last) in order, as far as end_ql."""
    said = {tick / per_quarter: what for tick, *what in marks}
    return [(onset_ql, *said[onset_ql]) for onset_ql in sorted(said) if onset_ql < end_ql]


def _changes(marks, in_force=None):
    """Return the marks that say something else than what is in force, as a tuple."""
    changes = []
    for onset_ql, *said in marks:
        if tuple(said) != in_force:
            changes.append((onset_ql, *said))
        in_force = tuple(said)
    return tuple(changes)
