"""A file that a student's notebook writes: read, never run, and compared with what is asked for.

Of a MIDI file so many `notes`, `seconds` or `pitches` are asked for, each
`{"at_least": ..., "at_most": ...}` (of all pitches, MIDI numbers); of it, or of
a JSON file, that it `equals` the bytes of another. Other files are not
opened: what reads a `.keras` runs what is in it.
"""

import json
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from musiclab.errors import MidiError
from musiclab.exercises.comparing import difference
from musiclab.exercises.exercise import PENDING, RIGHT, WRONG, Verdict
from musiclab.files import read_regular, reason, shown
from musiclab.midi import read_midi

MIDI, JSON = (".mid", ".midi"), (".json",)
MOST_BYTES = 2**22
HAS = {
    "notes": "Tiene {} notas",
    "seconds": "Dura {} segundos",
    "pitches": "Tiene la altura {}",
}
MEASURES, BOUNDS = tuple(HAS), ("at_least", "at_most")
SIXTY_FOURTH_QL = 1 / 16  # two files may put the same note on grids of their own


@dataclass(frozen=True)
class Artifact:
    """A file that a student's notebook writes.

    name: of the variable that holds its path, and the grade id of its cell
    file: its name in the notebook's folder of outputs
    wanted: {measure: {bound: number}}, and "equals": bytes
    """

    name: str
    file: str
    wanted: dict = field(default_factory=dict)

    def check(self, path, seed=0):
        """Return the Verdict on a student's file, given its path."""
        if path is None or path is ...:
            return Verdict(self.name, PENDING, "Escribe el fichero y vuelve a ejecutar la celda.")
        try:
            if (name := Path(path).name) != self.file:
                reason_ = f"El fichero se llama «{shown(name)}» y debe llamarse «{self.file}»."
                return Verdict(self.name, WRONG, reason_)
            return self.judge(read_regular(path, MOST_BYTES))
        except (OSError, ValueError) as error:
            said = f"No se puede leer «{self.file}»: {reason(error)}."
        except TypeError:
            said = f"«{self.name}» debe ser la ruta del fichero que has escrito."
        return Verdict(self.name, WRONG, said)

    def judge(self, data):
        """Return the Verdict on a file's bytes, which may be anything."""
        if len(data) > MOST_BYTES:
            said = f"«{self.file}» pasa de {MOST_BYTES // 2**20} MB."
            return Verdict(self.name, WRONG, said)
        look = self._midi if self.file.lower().endswith(MIDI) else self._json
        fault, seen = look(data)
        return Verdict(self.name, WRONG if fault else RIGHT, fault or seen)

    def _midi(self, data):
        """Return (what is wrong, or "", what is in the file) of the bytes of a MIDI file."""
        try:
            song, _ = read_midi(data)
        except MidiError as error:
            return f"«{self.file}» no es un MIDI que se pueda leer: {error}.", ""
        pitches = [pitch for event in song.events for pitch in event.pitches]
        measured = {"notes": [len(pitches)], "seconds": [song.duration_s], "pitches": pitches}
        for measure, values in measured.items():
            if fault := _out_of_bounds(measure, values, self.wanted.get(measure, {})):
                return fault, ""
        if "equals" in self.wanted:
            right = _notes(read_midi(self.wanted["equals"])[0])
            if difference(right, _notes(song), SIXTY_FOURTH_QL):
                return "Sus notas no son las que se piden.", ""
        return "", f"Tiene {_said(len(pitches))} notas y dura {_said(song.duration_s)} segundos."

    def _json(self, data):
        try:
            value = json.loads(data)
        except (ValueError, RecursionError, MemoryError):
            return f"«{self.file}» no es JSON.", ""
        # The phrase of a difference would say what is right.
        if difference(json.loads(self.wanted["equals"]), value):
            return "Su contenido no es el que se pide.", ""
        return "", ""


def _out_of_bounds(measure, values, bounds):
    """Return in Spanish which of some values is out of its bounds, or ""."""
    low, high = bounds.get("at_least", -inf), bounds.get("at_most", inf)
    for value in values:
        if not low <= value <= high:
            wanted = f"al menos {_said(low)}" if value < low else f"como mucho {_said(high)}"
            return f"{HAS[measure].format(_said(value))}; se pide {wanted}."
    return ""


def _said(value):
    return f"{value:.4g}".replace(".", ",")


def _notes(song):
    """Return the notes of a song as lists of onset, duration and pitch, in quarter lengths."""
    notes = []
    for event in song.events:
        for pitch in event.pitches:
            notes.append([event.onset_ql, event.duration_ql, pitch])
    return sorted(notes)
