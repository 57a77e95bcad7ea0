"""MIDI files to songs and back.

Reading gives the notes that music21 gives, whose default quantisation (to a
quarter or a third of a quarter length) sets the onsets and durations; the
notes that it splits at bar lines are one note again. `midifile` does it
fifty times faster. Writing goes through mido: 480 ticks a quarter, the
same bytes for the same song.

A bad file of a folder is named in the report and never stops the others.
What was read, bad files too, is kept in a cache of plain JSON (never
pickles), keyed by the file's content.
"""

import contextlib
import csv
import io
import os
import sqlite3
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import mido
import platformdirs

from musiclab import midifile
from musiclab.errors import DatasetError, MidiError, OutputError
from musiclab.notes import NoteEvent, Song
from musiclab.progress import progress

TICKS_PER_QUARTER = 480
CHANNELS = [channel for channel in range(16) if channel != 9]  # that one is the drums'
SUFFIXES = {".mid", ".midi"}
PARSER_VERSION = midifile.VERSION
BATCH_BYTES = 64_000
WORTH_BATCHES = 30
LOCK_TIMEOUT_S = 10
DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


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
    """Read one MIDI file, fast, as `parse_midi_music21` does.

    Returns a Song whose events stand in music21's order: by onset, then by
    part. Raises MidiError when the file is unreadable or has no pitched note.
    """
    return midifile.read_song(midifile.read_bytes(path))[0]


def parse_midi_music21(path):
    """Read one MIDI file through music21: the reference for `parse_midi`, fifty times slower.

    The notes and the tempo are music21's. The programs and the time signatures are
    read by `midifile`: music21 guesses an instrument from a track's name, and moves
    bars. It refuses a few files more, for which it finds no way to write bars and voices.
    Raises MidiError as `parse_midi` does.
    """
    return _parse_music21(midifile.read_bytes(path))[0]


def _parse_music21(data):
    """Return (song, remarks) of the bytes of a MIDI file."""
    from music21 import midi as music21_midi  # a second to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Not music21's converter: its cache would unpickle whatever lies in a shared folder.
            file = music21_midi.MidiFile()
            file.readstr(data)
            score = music21_midi.translate.midiFileToStream(file)
        events, ranks, n_strokes = _events(score, int.from_bytes(data[12:14], "big"))
        flat = score.flatten()
        tempos = [m.number for m in flat.getElementsByClass("MetronomeMark") if m.number]
    except Exception as error:  # music21 raises a dozen kinds on real files
        what = f"{type(error).__name__}: {error}".strip(": ")
        raise MidiError(f"no es un MIDI legible ({what}); vuelve a exportarlo o quítalo") from error
    if not events:
        why = "solo tiene percusión" if n_strokes else "no tiene ninguna nota"
        raise MidiError(f"{why}; quítalo de la carpeta")
    midi = midifile.read_midi(data)
    programs = midifile.programs_of(midi)
    programs = tuple(programs[rank] for rank in ranks)
    song = Song(
        events,
        program=programs[0],
        tempo_bpm=float(tempos[0]) if tempos else 120.0,
        programs=programs if len(programs) > 1 else (),
        bars=midifile.time_signatures(midi),
    )
    return song, midifile.remarks_on(midi, n_strokes)


def _events(score, ticks_per_quarter):
    """Return (events, their parts' ranks, number of drum strokes) of a score that music21 read.

    music21 cuts a note in pieces at bar lines, and its bars may drift away
    from the beat, but each piece remembers the tick at which the key went
    down: that is the onset, and the pieces of one tick are one note.
    """
    pieces, strokes = {}, set()
    for rank, part in enumerate(score.parts):
        for note in part.flatten().notes:
            tick = note.editorial.midiTickStart
            if "Unpitched" in note.classes or "PercussionChord" in note.classes:
                strokes.add((rank, tick))
                continue
            pitches = tuple(sorted({pitch.midi for pitch in note.pitches}))
            pieces.setdefault((rank, tick, pitches), []).append(note)
    found, ranks = [], sorted({rank for rank, _, _ in pieces})
    for (rank, tick, pitches), notes in pieces.items():
        editorial = notes[0].editorial
        onset_ql = tick / ticks_per_quarter - editorial.get("offsetQuantizationError", 0.0)
        length = _twelfths(sum(piece.quarterLength for piece in notes))
        length = midifile.on_grid(length, editorial.get("quarterLengthQuantizationError", 0.0))
        velocity = min(max(notes[0].volume.velocity or 80, 1), 127)
        times = _twelfths(onset_ql) / 12, length / 12
        found.append(NoteEvent(*times, pitches, velocity, ranks.index(rank)))
    # In time; a grace note before what it adorns; then the order of the parts.
    found.sort(key=lambda event: (event.onset_ql, event.duration_ql > 0, event.part))
    return tuple(found), ranks, len(strokes)


def _twelfths(ql):
    """Return a quarter or a third of a quarter length as a number of twelfths."""
    return max(round(float(ql) * 12), 0)


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
    """Read every MIDI file of a folder, over all cores where that pays.

    Past one machine: `pip install musiclab[cluster]`, a `dask.distributed.Client`,
    and this within `joblib.parallel_config(backend="dask")`.

    Returns (songs, ParseReport); a song's source is its path within the
    folder. Raises DatasetError when not one file could be read.
    """
    folder = Path(folder)
    paths = midi_files(folder)
    sources = [path.relative_to(folder).as_posix() for path in paths]
    songs, kept, dropped, remarks = [], [], [], []
    for source, result in zip(sources, _read(paths, sources, n_jobs), strict=True):
        if isinstance(result, MidiError):
            dropped.append((source, str(result)))
            continue
        song, notes = result
        songs.append(song)
        kept.append(source)
        remarks += [(source, note) for note in notes]
    report = ParseReport(tuple(kept), tuple(dropped), tuple(remarks))
    if not songs:
        raise DatasetError(f"ningún fichero de «{folder}» se pudo leer.\n{report}")
    return songs, report


def _read(paths, sources, n_jobs):
    """Return (song, remarks) or a MidiError of each path, in order."""
    with contextlib.closing(_Cache()) as cache:
        contents = [midifile.digest(path) for path in paths]
        records = [cache.get(content) for content, _ in contents]
        results = [
            None if record is None else midifile.from_record(record, source)
            for record, source in zip(records, sources, strict=True)
        ]
        missing = [k for k, result in enumerate(results) if result is None]
        batches = _batches([(paths[k], contents[k][1]) for k in missing])
        parsed = (pair for batch in _parsed(batches, n_jobs, cache) for pair in batch)
        bar = progress(parsed, "Leyendo MIDI", "fichero", len(missing)) if missing else ()
        for k, (_, record) in zip(missing, bar, strict=True):
            results[k] = midifile.from_record(record, sources[k])
    return results


def _batches(files):
    """Cut (path, bytes) pairs into lists that are each worth sending to another process."""
    batches, size = [], BATCH_BYTES
    for path, n_bytes in files:
        if size >= BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(path)
        size += n_bytes
    return batches


def _parsed(batches, n_jobs, cache):
    """Yield [(content, record)] of each batch, once the cache holds it."""
    # Below that, the other processes would start later than this one ends.
    if n_jobs == 1 or len(batches) < WORTH_BATCHES:
        parsed = map(midifile.read_files, batches)
    else:
        import joblib  # a sixth of a second to import, and a warm cache needs none of it

        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
        parsed = parallel(joblib.delayed(midifile.read_files)(batch) for batch in batches)
    for pairs in parsed:
        cache.put(pairs)
        yield pairs


class _Cache:
    """What became of each file, by the SHA-256 of its content: a table of JSON in SQLite.

    SQLite lets several processes read and write at once, and a killed one
    loses at most its last batch. A record that is not what was written counts
    as missing, and a damaged file is made anew: what goes wrong here costs
    only time.
    """

    def __init__(self):
        folder = os.environ.get("MUSICLAB_CACHE") or platformdirs.user_cache_dir("musiclab")
        self._path = Path(folder) / f"songs-{PARSER_VERSION}.sqlite"
        self._database = None
        with self._forgiving():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_S)
            # A killed process loses nothing by it; after a power cut the seals tell what is damaged.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS songs (content TEXT PRIMARY KEY, record BLOB, seal TEXT)"
            )

    def get(self, content):
        """Return the record of a content, or None; no file is of the content None."""
        rows = []
        with self._forgiving():
            if self._database:
                query = "SELECT record, seal FROM songs WHERE content = ?"
                rows = self._database.execute(query, [content]).fetchall()
        return next((record for record, seal in rows if seal == _seal(content, record)), None)

    def put(self, pairs):
        """Keep (content, record) pairs, all or none; those without content are left out."""
        records = [(content, record.encode()) for content, record in pairs if content]
        rows = [(*row, _seal(*row)) for row in records]
        with self._forgiving():
            if self._database:
                with self._database:
                    self._database.executemany(
                        "INSERT OR REPLACE INTO songs VALUES (?, ?, ?)", rows
                    )

    def close(self):
        with self._forgiving():
            if self._database:
                self._database.close()

    @contextlib.contextmanager
    def _forgiving(self):
        try:
            yield
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            self._database, database = None, self._database
            if database:
                database.close()
            # Locked, read-only or full is not damaged; the low byte is the kind of error.
            kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if kind in DAMAGED or isinstance(error, UnicodeDecodeError):
                with contextlib.suppress(OSError):
                    self._path.unlink()


def _seal(content, record):
    """Return what shows that a record is that of a content, as it was written."""
    return sha256(content.encode() + record).hexdigest() if isinstance(record, bytes) else None
