"""MIDI files to songs and back.

Reading goes through music21, whose default quantisation (to a quarter or
a third of a quarter length) gives the onsets and durations; the notes
that it splits at bar lines are one note again. Writing goes through mido:
480 ticks a quarter, the same bytes for the same song.

A folder is read over all cores, file by file: a bad file is named in the
report and never stops the others. What was read is kept in a cache of
plain JSON (never pickles), keyed by the file's content.
"""

import contextlib
import csv
import io
import json
import os
import warnings
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import joblib
import mido
import platformdirs

from musiclab.errors import DatasetError, MidiError, MusiclabError, OutputError
from musiclab.notes import NoteEvent, Song
from musiclab.progress import progress

TICKS_PER_QUARTER = 480
CHANNELS = [channel for channel in range(16) if channel != 9]  # that one is the drums'
SUFFIXES = {".mid", ".midi"}
PARSER_VERSION = f"3-music21-{version('music21')}"


@dataclass(frozen=True)
class ParseReport:
    """What became of each file of a folder.

    kept: paths of the files that gave a song
    dropped: (path, reason) of those that gave none
    remarks: (path, remark) of kept files from which something was left out
    """

    kept: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    remarks: tuple[tuple[str, str], ...]

    def __str__(self):
        lines = [f"{len(self.kept)} canciones leídas, {len(self.dropped)} ficheros descartados"]
        lines += [f"  descartado {path}: {reason}" for path, reason in self.dropped]
        lines += [f"  {path}: {remark}" for path, remark in self.remarks]
        return "\n".join(lines)


def write_bytes(path, data):
    """Write a file whole or not at all, and return its path.

    Raises OutputError when the folder or the disk does not take it; a file
    that was there before is then still there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"no se puede escribir «{path}» ({error.strerror}): elige otra carpeta, o comprueba "
            "sus permisos y el espacio en disco"
        ) from error
    return path


def write_csv(path, rows):
    """Write dicts with the same keys as CSV, floats to 4 decimals; return the path.

    Whole or not at all, as `write_bytes` does.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    return write_bytes(path, text.getvalue().encode())


# Songs to MIDI


def midi_bytes(tracks, tempo_bpm=120.0, bars=(), tail_ql=0.0):
    """Return a MIDI file of type 1 as bytes.

    tracks: (program, events) pairs, events an iterable of NoteEvent; the
        first fifteen have a channel each, the next fifteen are on the
        second port, and so on
    bars: (onset_ql, numerator, denominator) where the time signature changes
    tail_ql: how long the file runs on after the last note
    """
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    conductor = [(0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm)))]
    for onset_ql, numerator, denominator in bars:
        signature = {"numerator": numerator, "denominator": denominator}
        conductor.append((_ticks(onset_ql), mido.MetaMessage("time_signature", **signature)))
    midi.tracks.append(_track(conductor))
    for k, (program, events) in enumerate(tracks):
        port, channel = k // len(CHANNELS), CHANNELS[k % len(CHANNELS)]
        start = [(0, mido.Message("program_change", channel=channel, program=program))]
        if port:
            start.insert(0, (0, mido.MetaMessage("midi_port", port=port)))
        messages = [*start, *_messages(events, channel)]
        end = messages[-1][0] + _ticks(tail_ql)
        midi.tracks.append(_track([*messages, (end, mido.MetaMessage("end_of_track"))]))
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def song_to_midi(song, tail_ql=0.0):
    """Return a song as the bytes of a MIDI file: a track a part, its program, tempo and bars."""
    return midi_bytes(song_tracks(song), song.tempo_bpm, song.bars, tail_ql)


def song_tracks(song):
    """Return the (program, events) pairs of a song's parts; one pair where there is no note."""
    parts = [[] for _ in range(song.n_parts)]
    for event in song.events:
        parts[event.part].append(event)
    return [(song.program_of(k), events) for k, events in enumerate(parts)]


def _ticks(ql):
    return round(ql * TICKS_PER_QUARTER)


def _messages(events, channel):
    """Return (tick, message) pairs in the order in which they must be written.

    A pitch that sounds already is cut short before it sounds again, because
    MIDI could not tell which of the two a later «off» ends.
    """
    sounding, notes = {}, []
    for event in sorted(events, key=lambda event: (event.onset_ql, -event.duration_ql)):
        start, end = _ticks(event.onset_ql), _ticks(event.end_ql)
        for pitch in event.pitches:
            if pitch in sounding and sounding[pitch][0] == start:
                continue
            if pitch in sounding:
                sounding[pitch][1] = min(sounding[pitch][1], start)
            sounding[pitch] = [start, max(end, start + 1), pitch, event.velocity]
            notes.append(sounding[pitch])
    # At equal ticks «off» goes before «on».
    order = sorted(
        [(start, 1, pitch, velocity) for start, _, pitch, velocity in notes]
        + [(end, 0, pitch, 0) for _, end, pitch, _ in notes]
    )
    return [
        (
            tick,
            mido.Message(
                "note_on" if on else "note_off", channel=channel, note=pitch, velocity=velocity
            ),
        )
        for tick, on, pitch, velocity in order
    ]


def _track(messages):
    """Turn absolute ticks into the differences that MIDI stores."""
    track, now = mido.MidiTrack(), 0
    for tick, message in messages:
        track.append(message.copy(time=tick - now))
        now = tick
    return track


# MIDI to songs


def parse_midi(path):
    """Read one MIDI file through music21.

    Returns a Song whose events stand in music21's order: by onset, then by
    part. Raises MidiError when the file is unreadable or has no pitched note.
    """
    return _parse(path)[0]


def _parse(path):
    """Return (song, remarks)."""
    from music21 import converter  # a second to import, and a warm cache needs none of it

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MidiError(f"no se puede abrir ({error.strerror}); revisa sus permisos") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # music21's own cache would unpickle whatever lies in a shared folder.
            score = converter.parse(path, format="midi", forceSource=True, storePickle=False)
        ticks_per_quarter = int.from_bytes(data[12:14], "big")
        events, programs, n_drums = _events(score, ticks_per_quarter)
        flat = score.flatten()
        tempos = [m.number for m in flat.getElementsByClass("MetronomeMark") if m.number]
    except Exception as error:  # music21 raises a dozen kinds on real files
        what = f"{type(error).__name__}: {error}".strip(": ")
        raise MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo") from error
    if not events:
        why = "solo tiene percusión" if n_drums else "no tiene ninguna nota"
        raise MidiError(f"{why}; quítalo de la carpeta")
    song = Song(
        events,
        program=programs[0],
        tempo_bpm=float(tempos[0]) if tempos else 120.0,
        programs=programs if len(programs) > 1 else (),
        bars=_bars(data, ticks_per_quarter),
    )
    remarks = [f"percusión omitida: {n_drums} golpes"] if n_drums else []
    if n_missing := _missing_bytes(data):
        remarks.append(f"fichero cortado: faltan {n_missing} bytes")
    return song, tuple(remarks)


def _missing_bytes(data):
    """Return by how many bytes the chunks of a MIDI file say that it is too short."""
    start = 0
    while start < len(data):
        start += 8 + int.from_bytes(data[start + 4 : start + 8], "big")
    return start - len(data)


def _bars(data, ticks_per_quarter):
    """Return the time signatures of a MIDI file, as `Song.bars` holds them."""
    found = {}
    try:
        tracks = mido.MidiFile(file=io.BytesIO(data), clip=True).tracks
    except Exception:  # mido gives up on some files that music21 reads
        return ()
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "time_signature" and message.numerator:
                found[tick / ticks_per_quarter] = message.numerator, message.denominator
    bars = [(onset_ql, *found[onset_ql]) for onset_ql in sorted(found)]
    before = [(4, 4), *(bar[1:] for bar in bars)]
    return tuple(bar for bar, last in zip(bars, before, strict=False) if bar[1:] != last)


def _events(score, ticks_per_quarter):
    """Return (events, programs, number of drum strokes) of a score that music21 read from MIDI.

    music21 cuts a note in pieces at bar lines, and its bars may drift away
    from the beat, but each piece remembers the tick at which the key went
    down: that is the onset, and the pieces of one tick are one note.
    """
    pieces, programs, n_drums = {}, {}, 0
    for rank, part in enumerate(score.parts):
        found = [i.midiProgram for i in part.flatten().getElementsByClass("Instrument")]
        programs[rank] = next((program for program in found if program is not None), 0)
        for note in part.flatten().notes:
            if "Unpitched" in note.classes or "PercussionChord" in note.classes:
                n_drums += 1
                continue
            pitches = tuple(sorted({pitch.midi for pitch in note.pitches}))
            key = (rank, note.editorial.midiTickStart, pitches)
            pieces.setdefault(key, []).append(note)
    found = []
    parts = {rank: k for k, rank in enumerate(sorted({rank for rank, _, _ in pieces}))}
    for (rank, tick, pitches), notes in pieces.items():
        error = notes[0].editorial.get("offsetQuantizationError", 0.0)
        onset_ql = _on_grid(tick / ticks_per_quarter - error)
        duration_ql = _on_grid(_duration(notes))
        velocity = min(max(notes[0].volume.velocity or 80, 1), 127)
        found.append(NoteEvent(onset_ql, duration_ql, pitches, velocity, parts[rank]))
    # In time; a grace note before what it adorns; then the order of the parts.
    found.sort(key=lambda event: (event.onset_ql, event.duration_ql > 0, event.part))
    return tuple(found), tuple(programs[rank] for rank in parts), n_drums


def _duration(pieces):
    """Return the quarter lengths of a note, as they were if those were on the grid.

    music21 stretches or cuts a note to close a small gap after it, which turns
    thirds into quarters, and remembers by how much.
    """
    quantised = sum(piece.quarterLength for piece in pieces)
    exact = quantised + pieces[0].editorial.get("quarterLengthQuantizationError", 0)
    on_grid = any(exact > 0.01 and abs(exact * n - round(exact * n)) < 0.01 for n in (3, 4))
    return exact if on_grid else quantised


def _on_grid(ql):
    """Return a quarter or a third of a quarter length as the nearest float."""
    return max(round(float(ql) * 12), 0) / 12


# Folders, and the cache of what was read


def midi_files(folder):
    """Return the MIDI files of a folder, nested ones too, in one fixed order.

    Raises DatasetError when the folder is missing or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"no existe la carpeta «{folder}»: créala y copia en ella ficheros .mid")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        raise DatasetError(f"la carpeta «{folder}» no tiene ningún fichero .mid ni .midi")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def parse_folder(folder, n_jobs=-1):
    """Read every MIDI file of a folder, over all cores.

    Returns (songs, ParseReport); a song's source is its path within the
    folder. Raises DatasetError when not one file could be read.
    """
    folder = Path(folder)
    paths = midi_files(folder)
    results = [_from_cache(path) for path in paths]
    missing = [k for k, result in enumerate(results) if result is None]
    if missing:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
        parsed = parallel(joblib.delayed(_parse_and_cache)(paths[k]) for k in missing)
        bar = progress(parsed, "Leyendo MIDI", "fichero", len(missing))
        for k, result in zip(missing, bar, strict=True):
            results[k] = result
    songs, kept, dropped, remarks = [], [], [], []
    for path, result in zip(paths, results, strict=True):
        source = path.relative_to(folder).as_posix()
        if isinstance(result, MusiclabError):
            dropped.append((source, str(result)))
            continue
        song, notes = result
        songs.append(replace(song, source=source))
        kept.append(source)
        remarks += [(source, note) for note in notes]
    report = ParseReport(tuple(kept), tuple(dropped), tuple(remarks))
    if not songs:
        raise DatasetError(f"ningún fichero de «{folder}» se pudo leer.\n{report}")
    return songs, report


def _parse_and_cache(path):
    """Return (song, remarks), or the MidiError instead of raising it."""
    try:
        song, remarks = _parse(path)
    except MidiError as error:
        return error
    events = [[e.onset_ql, e.duration_ql, e.pitches, e.velocity, e.part] for e in song.events]
    record = {
        "events": events,
        "program": song.program,
        "tempo_bpm": song.tempo_bpm,
        "programs": song.programs,
        "bars": song.bars,
        "remarks": remarks,
    }
    with contextlib.suppress(OutputError):  # a cache that cannot be written costs only time
        write_bytes(_cache_path(path), json.dumps(record, separators=(",", ":")).encode())
    return song, remarks


def _from_cache(path):
    """Return (song, remarks) of a file read before, or None."""
    try:
        record = json.loads(_cache_path(path).read_bytes())
        events = tuple(NoteEvent(o, d, tuple(p), *more) for o, d, p, *more in record["events"])
        song = Song(
            events,
            program=record["program"],
            tempo_bpm=record["tempo_bpm"],
            programs=tuple(record["programs"]),
            bars=tuple(map(tuple, record["bars"])),
        )
        return song, tuple(record["remarks"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _cache_path(path):
    content = sha256(Path(path).read_bytes()).hexdigest()
    folder = os.environ.get("MUSICLAB_CACHE") or platformdirs.user_cache_dir("musiclab")
    return Path(folder) / "songs" / PARSER_VERSION / f"{content}.json"
