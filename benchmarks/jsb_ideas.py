"""What each idea of the chorale model bought: the model without it, all else equal.

Trains the model of `musiclab bench jsb`, shorter, with all ideas and
without each of them (or of some: --ideas pairs ranges), one process a core. Prints validation NLL,
accuracy and processor time, and writes them to benchmarks/results/jsb_ideas.csv.

    .venv/bin/python benchmarks/jsb_ideas.py --data DIR
"""

import argparse
import os
import time
from pathlib import Path

import joblib

from musiclab.chorales import ChoraleModel, Settings, table
from musiclab.chorales.network import IDEAS
from musiclab.errors import MusiclabError
from musiclab.files import write_csv

RESULTS = Path(__file__).parent / "results"
FIELDS = ("without", "what", "nll", "difference", "accuracy", "seconds")


def main():
    options = _options()
    # The workers inherit these.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "MUSICLAB_PROGRESS": "off"}
    try:
        parts = table.read_parts(options.data)
    except MusiclabError as error:
        raise SystemExit(f"Error: {error}") from error
    jobs = joblib.Parallel(n_jobs=-1, return_as="generator")(
        joblib.delayed(_train)(parts, idea, options.steps) for idea in ("", *options.ideas)
    )
    print(f"{'sin':<46}{'NLL':>8}{'empeora':>9}{'exactitud':>11}{'segundos':>10}")
    rows = []
    for idea, what, score, seconds in jobs:
        worse = score.nll - rows[0]["nll"] if rows else 0.0
        rows.append(
            dict(zip(FIELDS, (idea, what, score.nll, worse, score.accuracy, seconds), strict=True))
        )
        print(f"{what:<46}{score.nll:>8.4f}{worse:>+9.4f}{score.accuracy:>11.4f}{seconds:>10.0f}")
        write_csv(options.output, rows)  # what is there stays, should it be stopped


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with train and valid")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--ideas", nargs="*", choices=IDEAS, default=tuple(IDEAS))
    parser.add_argument("--output", type=Path, default=RESULTS / "jsb_ideas.csv")
    return parser.parse_args()


def _train(parts, idea, steps):
    """Return (idea, what it is, Likelihood on the validation part, seconds of processor time)."""
    start = time.process_time()
    settings = Settings(steps=steps, without=(idea,) if idea else ())
    model = ChoraleModel(parts[table.LEARN], settings)
    model.train(parts[table.CHOOSE])
    score, _ = model.score(model.features(parts[table.CHOOSE]))
    return idea, IDEAS.get(idea, "nada: todas las ideas"), score, time.process_time() - start


if __name__ == "__main__":
    main()
