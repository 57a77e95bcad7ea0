"""Folders of MIDI files to songs: a bad file is named in the report and never stops the others."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from musiclab.errors import DatasetError, MidiError
from musiclab.files import shown
from musiclab.midi.reading import STEPS_PER_QUARTER, read_bytes, read_midi
from musiclab.progress import garbage_left, progress

SUFFIXES = {".mid", ".midi"}


@dataclass(frozen=True)
class FolderReport:
    """What became of each file of a folder.

    kept: paths of the files that gave a song
    dropped: (path, reason) of those that gave none
    remarks: (path, remark) of kept files whose song is not all that they hold
    n_notes, n_moved, n_merged: as in `reading.Reading`, of all kept files together
    """

    kept: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    remarks: tuple[tuple[str, str], ...]
    n_notes: int = 0
    n_moved: int = 0
    n_merged: int = 0

    def __str__(self):
        kept = _counted(len(self.kept), "canción leída", "canciones leídas")
        dropped = _counted(len(self.dropped), "fichero descartado", "ficheros descartados")
        lines = [f"{kept}, {dropped}"]
        if self.n_moved or self.n_merged:
            lines.append(
                f"notas: {self.n_notes}; al ajustarlas a la rejilla, movidas más de 1/24 de negra: "
                f"{self.n_moved}; juntadas con otra igual: {self.n_merged}"
            )
        lines += [f"  descartado {path}: {reason}" for path, reason in self.dropped]
        lines += [f"  {path}: {remark}" for path, remark in self.remarks]
        return "\n".join(lines)


def _counted(n, one, many):
    return f"{n} {one if n == 1 else many}"


def midi_files(folder):
    """Return the MIDI files of a folder, nested ones too, in one fixed order.

    Raises DatasetError when the folder is missing or holds none.
    """
    folder, name = Path(folder), shown(folder)
    if not folder.is_dir():
        raise DatasetError(f"no existe la carpeta «{name}»: créala y copia en ella ficheros .mid")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        raise DatasetError(f"la carpeta «{name}» no tiene ningún fichero .mid ni .midi")
    return sorted(found, key=Path.as_posix)


def load_folder(folder, steps_per_quarter=STEPS_PER_QUARTER, names=None):
    """Read every MIDI file of a folder, or those of some names within it.

    Returns (songs, FolderReport); a song's source is its path within the
    folder. For steps_per_quarter see `reading.read_midi`. Raises
    DatasetError when not one file could be read.
    """
    folder = Path(folder)
    n_above = len(folder.parts)
    paths = midi_files(folder) if names is None else [folder / name for name in names]
    songs, dropped, remarks, counts = [], [], [], Counter()
    with garbage_left():
        for path in progress(paths, "Leyendo MIDI", "fichero"):
            source = shown("/".join(path.parts[n_above:]))
            try:
                song, reading = read_midi(read_bytes(path), steps_per_quarter)
            except MidiError as error:
                dropped.append((source, str(error)))
                continue
            songs.append(replace(song, source=source))
            remarks += [(source, remark) for remark in reading.remarks()]
            counts.update(vars(reading))
    kept = tuple(song.source for song in songs)
    totals = (counts[name] for name in ("n_notes", "n_moved", "n_merged"))
    report = FolderReport(kept, tuple(dropped), tuple(remarks), *totals)
    if not songs:
        raise DatasetError(f"ningún fichero de «{shown(folder)}» se pudo leer.\n{report}")
    return songs, report
