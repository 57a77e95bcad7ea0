"""How the songs of lesson 1 end: by the network's own <end>, or cut at the limit.

The bundle is one that the lesson left in its OUTPUT_DIR. The songs are written as
the lesson writes its nine, after the same prompt; it keeps the one in the middle.
Prints a row a song and writes them to benchmarks/results/endings.csv.

    .venv/bin/python benchmarks/endings.py runs/01_tocando_un_poco_de_musica/FOLDER
"""

import argparse
import json
from pathlib import Path

import numpy as np

from musiclab import datasets, encoding
from musiclab.files import write_csv
from musiclab.generation import generate_songs
from musiclab.training import BUNDLE, load_bundle

RESULTS = Path(__file__).parent / "results" / "endings.csv"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=27)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    chosen = json.loads((options.folder / "metrics.json").read_text(encoding="utf-8"))["parameters"]
    bundle = load_bundle(options.folder / BUNDLE)
    motif = prompt(chosen)
    rows = endings(bundle, motif, chosen, options.songs)
    for row in rows:
        print("canción {song:>2}: {n_symbols:>4} símbolos nuevos, {end}".format(**row))
    n_ended = sum(row["end"] == "<end>" for row in rows)
    print(f"{n_ended} de {len(rows)} acaban por sí solas")
    write_csv(options.output, rows)


def prompt(chosen):
    """Return the tokens that the lesson gives to its last network."""
    songs, _ = datasets.load_dataset(chosen["DATASET"])
    held_out = datasets.split_by_song(songs, seed=chosen["SEED"]).held_out
    longest = max(map(encoding.get_encoding("events").encode, held_out), key=len)
    return encoding.whole_chords(longest[: chosen["SEQUENCE_LEN"]], "events")


def endings(bundle, motif, chosen, n_songs):
    """Return a row a song: how many symbols the network writes, and what ends them."""
    start_id, end_id = bundle.vocabulary.to_ids([encoding.START, encoding.END])
    songs = generate_songs(
        bundle.model,
        [bundle.vocabulary.to_ids(motif)] * n_songs,
        chosen["N_NOTES"],
        temperature=chosen["TEMPERATURE"],
        rng=np.random.default_rng(chosen["SONG_SEED"]),
        banned_ids=[start_id],
        end_id=end_id,
    )
    rows = []
    for k, ids in enumerate(songs):
        ended = len(ids) < chosen["N_NOTES"]
        rows.append({"song": k, "n_symbols": len(ids), "end": "<end>" if ended else "límite"})
    return rows


if __name__ == "__main__":
    main()
