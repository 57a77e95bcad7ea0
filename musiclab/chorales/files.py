"""Four-part chorales on a grid of sixteenths, and what a composer sees in them.

Conventions: a chorale is an int array (n_sixteenths, 4) of MIDI numbers,
soprano, alto, tenor and bass, 0 for silence. It says which note sounds in
each sixteenth, not whether it is held or struck again: the public form of
the JSB chorales. Within features, memories and networks the voices stand in the
ORDER in which they are chosen, as in a harmony class: melody, bass, inner
voices.

Everything in `Features` is known before the symbol that it helps to
predict: of its own sixteenth only the voices chosen before, and all of the
earlier sixteenths. What is written as intervals does not change with the key.
"""

import csv
from pathlib import Path

import numpy as np

from musiclab.errors import DatasetError

N_VOICES = 4
ORDER = (0, 3, 1, 2)  # soprano, bass, alto, tenor
HIGH_TO_LOW = np.argsort(ORDER)  # takes voices in ORDER to soprano, alto, tenor, bass
BASS = ORDER.index(3)
NOT_YET = -1  # a voice that is still to be chosen: no one-hot has a place for it
END = -2  # what the first voice chooses after the last sixteenth
LIMIT = 12  # wider intervals count as this many semitones
HELD = 15  # longer notes count as this many sixteenths
MAX_CSV = 2**20  # bytes of a file: some 80,000 sixteenths, five hours of music
BAR, PHRASE, TRIPLE = 16, 64, 12  # sixteenths in 4/4, in four such bars, in 3/4
PHRASES = 8  # a chorale that is longer counts as this long


# Sixteenths of context that a memory looks up, for all voices and for the melody.
MEMORIES = {"all": ([0, 1, 2, 3], (4, 8, 16, 32)), "melody": ([0], (8, 16, 32, 64))}
N_TRUST = 13  # no guess, or four lengths of context with three degrees of agreement
SOURCES = tuple((where, name) for where in ("piece", "corpus") for name in MEMORIES)


def read_chorales(folder):
    """Return the chorales of a folder of CSV files, sorted by name.

    Each file has a line of four headings and a line of four MIDI numbers
    for each sixteenth.

    Raises DatasetError, with file and line, when one is not like that.
    """
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise DatasetError(f"no hay ningún fichero .csv en «{folder}»: elige otra carpeta")
    return [_read_chorale(path) for path in files]


def _read_chorale(path):
    # The lines as lists of cells.
    try:
        if path.stat().st_size > MAX_CSV:
            raise DatasetError(f"«{path}» es demasiado grande para ser un coral: quítalo")
        with open(path, encoding="utf-8", newline="") as file:
            heading, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"no se puede leer «{path}» ({error}): bórralo o cópialo de nuevo"
        ) from None
    while rows and not any(rows[-1]):
        rows.pop()  # empty lines at the end
    # A heading, then four pitches a line.
    if not rows:
        raise DatasetError(f"«{path}» no tiene ninguna semicorchea: bórralo o cópialo de nuevo")
    if any(map(_is_number, heading)):
        raise DatasetError(
            f"«{path}» empieza por «{','.join(heading)[:40]}», y su primera línea ha de llevar los "
            "nombres de las voces: añádela"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != N_VOICES or not all(map(_is_number, row)):
            raise DatasetError(
                f"«{path}», línea {number}: «{','.join(row)[:40]}» no son cuatro alturas "
                "separadas por comas: corrígela o borra el fichero"
            )
    chorale = np.array([[int(cell) for cell in row] for row in rows])
    if chorale.max() > 127:
        raise DatasetError(f"«{path}» tiene una altura {chorale.max()}: deben ir de 0 a 127")
    return chorale


def _is_number(cell):
    return cell.strip(" \t").isdecimal() and len(cell) < 9  # what int() takes for a number
