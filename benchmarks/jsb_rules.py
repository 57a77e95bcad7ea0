"""How often the rules are broken: by Bach, by a 6-gram, by the network, and by it around his melodies.

Prints a table, and writes it to benchmarks/results/jsb_rules.csv. Needs the
model that `musiclab bench jsb --save` leaves.

    .venv/bin/python benchmarks/jsb_rules.py --data DIR --model FILE
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from musiclab.chorales import ChoraleModel, harmonise, rules, table, write
from musiclab.chorales.files import BAR, HIGH_TO_LOW, N_VOICES, ORDER
from musiclab.chorales.writing import AT_MOST, N_DRAFTS, Draft, raised
from musiclab.evaluation import NGram, copied_run
from musiclab.files import write_csv
from musiclab.generation import sample_id
from musiclab.music.voices import grid_to_song

RESULTS = Path(__file__).parent / "results"
SEEDS = range(1, 21)
N_MELODIES, LONGEST = 20, 164  # the first of the validation part of so many sixteenths at most


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with train and valid")
    parser.add_argument("--model", required=True, help="what bench jsb saved")
    parser.add_argument("--output", type=Path, default=RESULTS / "jsb_rules.csv")
    options = parser.parse_args()
    parts = table.read_parts(options.data)
    model = ChoraleModel.load(options.model)
    print(f"{'':<28}{rules.HEADING}")
    rows = []
    for name, chorales in written(model, parts):
        counted = rules.count_rules(chorales)
        print(f"{name:<28}{counted}")
        rows.append({"chorales": name, **asdict(counted)})
    write_csv(options.output, rows)


def written(model, parts):
    """Yield (name, chorales) of each row of the table."""
    for part in ("train", "valid"):
        yield f"Bach, {part}", parts[part]
        print(f"  {_share(parts[part], rules.authentic_cadence)} end with an authentic cadence")
    yield "6-gram", by_n_gram(model.corpus)
    before, there = expected_ends(model, parts["valid"])
    print(f"  ends expected in a chorale of valid: {before:.2f} before its end, {there:.2f} there")
    chorales, seconds = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        chorales.append(write(model, np.random.default_rng(seed)))
        seconds.append((time.perf_counter() - start) / len(chorales[-1]))
    yield "network", chorales
    ended = [chorale for chorale in chorales if len(chorale) < AT_MOST]
    on_triad = _share(ended, lambda chorale: rules.root_position_triad(chorale[-1]))
    print(f"  {len(ended)} of {len(chorales)} ended, {on_triad} on a triad over its root")
    print(f"  {_share(ended, rules.authentic_cadence)} with an authentic cadence")
    print(f"  {16 * BAR * np.median(seconds):.1f} s for sixteen bars")
    known = model.known_songs()
    copies = [copied_run(grid_to_song(chorale), known).length for chorale in chorales]
    print(f"  longest copied runs: {copies}")

    given = [chorale for chorale in parts["valid"] if len(chorale) <= LONGEST][:N_MELODIES]
    yield f"Bach, {len(given)} of valid", given
    print(f"  {model.score(model.features(given))[0].nll:.3f} nats a symbol")
    for n_drafts in (1, N_DRAFTS):
        harmonised = [
            harmonise(chorale[:, 0], model, np.random.default_rng(seed), n_drafts)
            for seed, chorale in enumerate(given)
        ]
        yield f"their melodies, {n_drafts} drafts", harmonised
        print(f"  {model.score(model.features(harmonised))[0].nll:.3f} nats a symbol")


def expected_ends(model, chorales):
    """Return what the chances of END, raised as `write` raises them, add up to in a chorale, on average.

    (before its end, at its end): together about 1 where the end is expected as often as it comes
    """
    before = there = 0.0
    for chorale in chorales:
        draft, chances = Draft(model), []
        for chord in chorale[:, ORDER]:
            chances.append(draft.choices(chord)[2])
            draft.take(chord)
        before += sum(raised(chance) for chance in chances[1:])
        there += raised(draft.choices()[2])
    return before / len(chorales), there / len(chorales)


def _share(chorales, is_so):
    return f"{sum(map(is_so, chorales))} of {len(chorales)}"


def by_n_gram(corpus, n_chorales=12, n_sixteenths=256):
    """Return chorales that a 6-gram over the voices by turns writes, from the training part's keys."""
    known = [
        np.where(chorale > 0, chorale + corpus.shift(0), 0).reshape(-1)
        for chorale in corpus.chorales
    ]
    n_gram = NGram(known, corpus.n_symbols, table.N_GRAM)
    chorales = []
    for seed in range(n_chorales):
        rng = np.random.default_rng(seed)
        ids = known[seed][:N_VOICES].tolist()
        while len(ids) < N_VOICES * n_sixteenths:
            log_probs = n_gram([*ids[-table.N_GRAM :], 0])[-1]
            ids.append(sample_id(log_probs, 1.0, rng))
        chorale = np.array(ids).reshape(-1, N_VOICES) - corpus.shift(0)
        chorales.append(chorale[:, HIGH_TO_LOW])
    return chorales


if __name__ == "__main__":
    main()
