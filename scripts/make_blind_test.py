"""Make a blind test: three pieces, one by a person, and who is who.

    .venv/bin/python scripts/make_blind_test.py [seed] [folder]

With seed 0, docs/prueba_a_ciegas/: what lesson 3 opens with. Needs the set
`folk`. A 5-gram and a network learn from the same songs and draw as many
symbols; the person's piece is one that neither has seen. All three go
through the same encoding, sound alike and end at the same moment.
"""

import sys
from pathlib import Path

import numpy as np

from musiclab import datasets, encoding, evaluation, generation, models, training
from musiclab.files import write_json
from musiclab.midi import save_midi

FOLDER = Path(__file__).parents[1] / "docs" / "prueba_a_ciegas"
N_SONGS, N_SYMBOLS, LISTEN_QL, WINDOW_LENGTH = 300, 120, 24.0, 64
NETWORK = {"cell": "gru", "units": [160], "inputs": "embedding", "every_step": True}
SOUND = {"program": 73, "tempo_bpm": 110.0}  # a flute


def learn(train_ids, held_out_ids, vocabulary, seed):
    """Return a 5-gram's and a trained network's functions from ids to the next one's logits."""
    five_gram = evaluation.NGram(train_ids, len(vocabulary), order=5)
    windows = encoding.make_windows(train_ids, WINDOW_LENGTH, every_step=True)
    held_out = encoding.make_windows(held_out_ids, WINDOW_LENGTH, every_step=True)
    bundle = training.new_bundle(vocabulary, "events", WINDOW_LENGTH, windows, seed, **NETWORK)
    models.compile_model(bundle.model, learning_rate=6e-3)
    training.train(bundle, windows, held_out, epochs=8)
    network = evaluation.log_probabilities(bundle.model)
    # The last id only holds the place of the one that is to be drawn.
    return {
        "el 5-grama": lambda ids: five_gram([*ids[-8:], 0])[-1],
        "la red": lambda ids: network([*ids, 0])[-1],
    }


def write(next_logits, start_id, banned_ids, rng):
    """Return N_SYMBOLS ids drawn one by one after START, which never end the song."""
    ids = [start_id]
    while len(ids) <= N_SYMBOLS:
        ids.append(generation.sample_id(next_logits(ids), 0.9, rng, banned_ids=banned_ids))
    return ids


def make_pieces(seed):
    """Return {author: Song} of the three."""
    songs, _ = datasets.load_dataset("folk")
    chosen = np.random.default_rng(seed).permutation(len(songs))[:N_SONGS]
    split = datasets.split_by_song([songs[k] for k in sorted(chosen)], seed=seed)
    encode = encoding.get_encoding("events").encode
    vocabulary = encoding.Vocabulary.fit([encode(song) for song in split.train])
    train_ids, held_out_ids = (
        [vocabulary.to_ids(encode(song)) for song in side] for side in (split.train, split.held_out)
    )
    rng, *rngs = np.random.default_rng([seed, 1]).spawn(3)
    long = [k for k, song in enumerate(split.held_out) if song.duration_ql >= LISTEN_QL]
    ids_of = {"la persona": held_out_ids[long[rng.integers(len(long))]]}
    banned_ids = vocabulary.to_ids([encoding.START, encoding.END])
    authors = learn(train_ids, held_out_ids, vocabulary, seed)
    for (author, next_logits), own_rng in zip(authors.items(), rngs, strict=True):
        ids_of[author] = write(next_logits, banned_ids[0], banned_ids, own_rng)
    pieces = {}
    for author, ids in ids_of.items():
        song = encoding.decode_song(vocabulary.to_tokens(ids), "events", **SOUND)
        pieces[author] = song.until(LISTEN_QL)
    return pieces


if __name__ == "__main__":
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER
    pieces = make_pieces(seed)
    order = np.random.default_rng([seed, 2]).permutation(list(pieces)).tolist()
    key = dict(zip("ABC", order, strict=True))
    for letter, author in key.items():
        print(save_midi(pieces[author], folder / f"{letter}.mid"))
    print(write_json(folder / "solucion.json", key))
