"""Which sets of songs there are, and how they come to lie in `Datasets/`.

Five sets are built from the scores that the installed music21 carries, by
a plain writer: grace notes dropped, ties joined, repeats not expanded,
real bar lengths kept. The committed manifest names each file, its source
and its SHA-256, and a build is checked against it. Any other folder of
MIDI files in `Datasets/` is a set too, by its name.
"""

import csv
import io
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import joblib

from musiclab.errors import DatasetError
from musiclab.files import write_bytes
from musiclab.midi import load_folder, read_midi, song_to_midi
from musiclab.music import NoteEvent, Song
from musiclab.progress import progress

ROOT = Path(os.environ.get("MUSICLAB_DATASETS") or Path(__file__).parents[2] / "Datasets")
MANIFEST = Path(__file__).parents[2] / "Datasets" / "manifest.csv"
COMPOSERS = ("corelli", "handel", "haydn", "mozart")
FIELDS = ("dataset", "file", "source", "index", "sha256")


@dataclass(frozen=True)
class CorpusSet:
    """The rule of a set: which scores of music21's corpus, each written with all its parts.

    sources: glob patterns or file names within the corpus
    n_parts: take only scores with as many parts
    """

    title: str
    sources: tuple[str, ...]
    n_parts: int | None = None


SETS = {
    "bach": CorpusSet(
        "Corales de Bach a cuatro voces", ("bach/bwv*.mxl", "bach/bwv*.xml"), n_parts=4
    ),
    "folk": CorpusSet("Danzas irlandesas de la colección O'Neill", ("oneills1850/*.abc",)),
    "classical": CorpusSet(
        "Movimientos de Haydn, Mozart, Corelli y Handel",
        tuple(f"{who}/**/*.{kind}" for who in COMPOSERS for kind in ("mxl", "xml")),
    ),
    "free": CorpusSet(
        "Once piezas de seis países, libres también como ficheros",
        (
            "beach/prayer_of_a_tired_child.musicxml",
            "ciconia/quod_jactatur.xml",
            "corelli/opus3no1/1grave.xml",
            "johnson_j_r/lift_every_voice.mxl",
            "liliuokalani/aloha_oe.mxl",
            "luca/gloria.xml",
            "lusitano/allor_che_ignuda.mxl",
            *(f"schumann_clara/polonaise_op1n{k}.mxl" for k in (1, 2, 3, 4)),
        ),
    ),
    "tiny": CorpusSet(
        "Seis piezas para pruebas",
        (
            "bach/bwv253.mxl",
            "bach/bwv269.mxl",
            "bach/bwv347.mxl",
            "bach/bwv10.7.mxl",
            "ryansMammoth/7thRegimentReel.abc",
            "ryansMammoth/AcaciaReel.abc",
        ),
    ),
}


def load_dataset(name, root=ROOT):
    """Return (songs, FolderReport) of a set, which is built first if it is one of `SETS`.

    Raises DatasetError when there is no such set, or nothing readable in it.
    """
    folder = Path(root) / name
    if name in SETS:
        # The manifest's files alone: an older build may have left others.
        names = sorted(row["file"] for row in dataset_rows(name))
        return load_folder(build_dataset(name, root), names=names)
    if not name or not folder.is_dir():
        known = sorted({*SETS, *(p.name for p in Path(root).glob("*/"))})
        raise DatasetError(
            f"no existe el conjunto «{name}»: los que hay son {', '.join(known)}; "
            f"copia tu carpeta de ficheros .mid en «{root}» para añadir otro"
        )
    return load_folder(folder)


def build_dataset(name, root=ROOT, sources=None):
    """Write the files of a set that are missing or damaged, over all cores.

    sources: only those that come from these files of the corpus

    Returns the set's folder, each of whose files has the manifest's SHA-256.
    Raises DatasetError when a file comes out different.
    """
    folder = Path(root) / name
    rows = dataset_rows(name, sources)
    todo = [row for row in rows if _digest(folder / row["file"]) != row["sha256"]]
    jobs = [
        (source, SETS[name], [int(row["index"]) for row in group], [row["file"] for row in group])
        for source, group in _by_source(todo)
    ]
    expected = {row["file"]: row["sha256"] for row in rows}
    for files in _parallel(_convert_chosen, jobs, f"Preparando {name}"):
        for file, data in files:
            if sha256(data).hexdigest() != expected[file]:
                raise DatasetError(
                    f"«{file}» no sale igual que en el manifiesto: instala las versiones "
                    "de requirements.lock (make env)"
                )
            write_bytes(folder / file, data)
    return folder


def dataset_rows(name, sources=None):
    """Return the manifest's rows of a set, or of those of its sources."""
    found = []
    for row in read_manifest():
        wanted = sources is None or row["source"] in sources
        if wanted and row["dataset"] == name:
            found.append(row)
    return found


def read_manifest():
    """Return the manifest's rows as dicts with the keys `FIELDS`.

    Raises DatasetError when it is missing, or a row is not what `write_manifest` writes.
    """
    try:
        with open(MANIFEST, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            fields, rows = reader.fieldnames, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"no se puede leer «{MANIFEST}» ({error}): {_RESTORE}") from error
    if fields != list(FIELDS):
        raise DatasetError(f"la primera línea de «{MANIFEST}» no es {','.join(FIELDS)}: {_RESTORE}")
    for number, row in enumerate(rows, start=2):
        if set(row) != set(FIELDS) or not all(
            re.fullmatch(form, row[name] or "", re.ASCII) for name, form in _FORMS.items()
        ):
            raise DatasetError(f"«{MANIFEST}», línea {number}, está dañada: {_RESTORE}")
    return rows


_RESTORE = "recupéralo con git checkout, o reinstala musiclab"
_NAME = r"[\w#'-][\w.#'-]*"  # no path leads out of its folder
_FORMS = {
    "dataset": _NAME,
    "file": rf"{_NAME}\.mid",
    "source": rf"{_NAME}(?:/{_NAME})*",
    "index": r"\d{1,6}",
    "sha256": r"[0-9a-f]{64}",
}


def write_manifest():
    """Apply the rules of `SETS` to the installed corpus, and write the manifest anew.

    For maintainers, when a rule or music21 changes.
    """
    rows = []
    for name, rule in SETS.items():
        root = _corpus_root()
        sources = set()
        for pattern in rule.sources:
            sources.update(path.relative_to(root).as_posix() for path in root.glob(pattern))
        sources = sorted(sources)
        seen = set()
        for files in _parallel(_convert_all, [(s, rule) for s in sources], f"Leyendo {name}"):
            for file, source, index, data in files:
                # The same notes under another key or metre are no other song.
                notes = read_midi(data)[0].events
                if notes not in seen:
                    rows.append((name, file, source, index, sha256(data).hexdigest()))
                seen.add(notes)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([FIELDS, *rows])
    write_bytes(MANIFEST, text.getvalue().encode())


def _by_source(rows):
    source_of = lambda row: row["source"]
    groups = groupby(sorted(rows, key=source_of), source_of)
    return [(source, list(group)) for source, group in groups]


def _parallel(function, jobs, title):
    """Yield function(*job) for each job, in order, with a progress bar."""
    if jobs:
        results = joblib.Parallel(n_jobs=-1, return_as="generator")(
            joblib.delayed(function)(*job) for job in jobs
        )
        yield from progress(results, title, "fuente", len(jobs))


def _convert_chosen(source, rule, indices, files):
    scores = _scores(source)
    return [(f, _score_to_midi(scores[k], rule)) for k, f in zip(indices, files, strict=True)]


def _convert_all(source, rule):
    """Return (file, source, index, bytes) for each score of a source that the rule takes."""
    found = []
    for index, score in enumerate(_scores(source)):
        if rule.n_parts and len(score.parts) != rule.n_parts:
            continue
        data = _score_to_midi(score, rule)
        if data:
            found.append((_file_name(source, index, score), source, index, data))
    return found


def _corpus_root():
    from music21 import common

    return Path(common.getCorpusFilePath())


def _scores(source):
    """Return the scores of a corpus file, which may hold a whole collection."""
    from music21 import converter, stream

    # Its own cache would unpickle whatever lies in a shared folder.
    score = converter.parse(_corpus_root() / source, forceSource=True, storePickle=False)
    return list(score.scores) if isinstance(score, stream.Opus) else [score]


def _file_name(source, index, score):
    """Return a plain ASCII name that differs for each (source, index)."""
    name, _, suffix = source.rpartition(".")
    if suffix == "abc":  # a collection: each of its scores has a number and a title
        title = (score.metadata.title or "") if score.metadata else ""
        name = f"{name} {index:03d} {title}"
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9.]+", "_", ascii_name.lower()).strip("_.") + ".mid"


def _score_to_midi(score, rule):
    """Return the bytes of a score, or nothing when it has no note."""
    found = [(part, _part_events(part)) for part in score.parts]
    found = [(part, events) for part, events in found if events]
    if not found:
        return b""
    tempos = [m.number for m in score.flatten().getElementsByClass("MetronomeMark") if m.number]
    song = Song(
        tuple(replace(event, part=k) for k, (_, events) in enumerate(found) for event in events),
        programs=tuple(_program(part) for part, _ in found),
        tempo_bpm=float(tempos[0]) if tempos else 120.0,
        bars=_bars(score.parts[0]),
        keys=_keys(score.parts[0]),
    )
    return song_to_midi(song)


def _program(part):
    programs = [i.midiProgram for i in part.flatten().getElementsByClass("Instrument")]
    return next((program for program in programs if program is not None), 0)


def _part_events(part):
    """Return the NoteEvents of a part: tied notes joined, grace notes and names of chords dropped."""
    events, tied = [], {}
    for note in part.flatten().notes:
        pitches = tuple(sorted({pitch.midi for pitch in getattr(note, "pitches", ())}))
        # A letter above the staff, such as a dynamic of ABC, may be taken for a chord's name.
        named = "ChordSymbol" in note.classes
        if not pitches or named or note.duration.isGrace:
            continue
        event = NoteEvent(float(note.offset), float(note.quarterLength), pitches)
        tie = note.tie.type if note.tie else "none"
        first = tied.pop(pitches, None)
        if tie in ("continue", "stop") and first is not None:
            start = events[first]
            if abs(start.end_ql - event.onset_ql) < 1e-6:
                duration_ql = event.end_ql - start.onset_ql
                events[first] = replace(start, duration_ql=duration_ql)
                tied[pitches] = first
                continue
        if tie in ("start", "continue"):
            tied[pitches] = len(events)
        events.append(event)
    return events


def _bars(part):
    """Return (onset_ql, numerator, denominator) where the length of the bars changes.

    A pick-up becomes a short first bar, so that the later ones fall on the beat.
    """
    bars, meter = [], None
    for measure in part.getElementsByClass("Measure"):
        meter = measure.timeSignature or meter
        signature = _signature(measure.highestTime, meter)
        if signature and (not bars or signature != bars[-1][1:]):
            bars.append((float(measure.offset), *signature))
    return tuple(bars)


def _keys(part):
    """Return (onset_ql, sharps, mode) of a part's key signatures; major where none is named."""
    keys = {}
    for key in part.flatten().getElementsByClass("KeySignature"):
        mode = "minor" if getattr(key, "mode", None) == "minor" else "major"
        keys[float(key.offset)] = key.sharps, mode
    return tuple((onset_ql, *keys[onset_ql]) for onset_ql in sorted(keys))


def _signature(length_ql, meter):
    """Return the (numerator, denominator) of a bar as long as this, or None."""
    if meter and meter.barDuration.quarterLength == length_ql:
        return meter.numerator, meter.denominator
    for denominator in (4, 8, 16, 32):
        numerator = length_ql * denominator / 4
        if numerator == int(numerator) and 1 <= numerator <= 255:
            return int(numerator), denominator
    return None


def _digest(path):
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
