"""Make the README's gallery, docs/gallery/: score and piano roll of four songs.

    .venv/bin/python scripts/make_gallery.py

Needs the sets `bach` and `folk`, docs/song.mid, the first lesson's song, and
docs/gallery/coral_red.mid: seed 7 of `musiclab chorale`.
"""

import typst

from musiclab import engraving, plotting
from musiclab.course import PROJECT
from musiclab.datasets.corpus import ROOT
from musiclab.files import write_bytes
from musiclab.midi import load_midi

GALLERY = PROJECT / "docs" / "gallery"
N_SYSTEMS = 3
SONGS = {
    "coral": (ROOT / "bach" / "bach_bwv269.mid", "voice"),
    "danza": (ROOT / "folk" / "oneills1850_1176_1275_002_the_broken_pledge.mid", "prompt"),
    "coral_red": (GALLERY / "coral_red.mid", "voice"),
    "red": (PROJECT / "docs" / "song.mid", "voice"),
}
PAGE = "#set page(width: 21cm, height: auto, margin: 5mm)\n"


def main():
    for name, (path, colour) in SONGS.items():
        song = load_midi(path)
        systems = engraving.score_svgs(song)[:N_SYSTEMS]
        lines = [f'#image("{k}.svg", width: 100%)' for k in range(len(systems))]
        files = {f"{k}.svg": svg.encode() for k, svg in enumerate(systems)}
        png = typst.compile(
            {"main.typ": (PAGE + "\n".join(lines)).encode(), **files}, format="png", ppi=110
        )
        print(write_bytes(GALLERY / f"{name}_partitura.png", png))
        print(write_bytes(GALLERY / f"{name}_rollo.png", plotting.roll_png(song, colour=colour)))


if __name__ == "__main__":
    main()
