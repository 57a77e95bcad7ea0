"""The public table of the JSB chorales: our model beside the baselines, in one run.

Each sixteenth of each voice is one symbol, foretold from all that came
before it in the chorale: full history, teacher forcing. The figures of
others are only comparable when they count the same way.
"""

import time
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from musiclab.chorales.corpus import Corpus
from musiclab.chorales.files import HIGH_TO_LOW, N_VOICES, ORDER, read_chorales
from musiclab.chorales.model import ChoraleModel
from musiclab.errors import DatasetError
from musiclab.evaluation import Copy, NGram, held_out_likelihood

LEARN, CHOOSE = "train", "valid"
N_GRAM = 6
N_GRAM_MARGIN = 6  # semitones beyond the compass: fewer keys than these make it worse


@dataclass(frozen=True)
class Row:
    """One line of the table: NLL in nats and accuracy over every sixteenth of every voice.

    soprano to bass: the NLL of each voice
    seconds: to build and train, the same for all parts
    """

    model: str
    part: str
    nll: float
    accuracy: float
    soprano: float
    alto: float
    tenor: float
    bass: float
    seconds: float

    def __str__(self):
        by_voice = self.soprano, self.alto, self.tenor, self.bass
        voices = " ".join(f"{nll:7.3f}" for nll in by_voice)
        return (
            f"{self.model:<28} {self.part:<8} {self.nll:7.4f} {self.accuracy:9.4f} "
            f"{voices} {self.seconds:8.0f}"
        )


HEADING = (
    f"{'modelo':<28} {'parte':<8} {'NLL':>7} {'exactitud':>9} "
    f"{'soprano':>7} {'alto':>7} {'tenor':>7} {'bajo':>7} {'segundos':>8}"
)


def read_parts(data, parts=()):
    """Return {name: chorales} of the folders train and valid of `data`, and of further parts.

    Raises DatasetError when one is missing or broken.
    """
    if LEARN in parts:
        raise DatasetError(f"«{LEARN}» es la parte con la que aprende: elige otra que medir")
    names = dict.fromkeys((LEARN, CHOOSE, *parts))
    folders = {name: Path(data) / name for name in names}
    for folder in folders.values():
        if not folder.is_dir():
            raise DatasetError(
                f"no existe la carpeta «{folder}»: --data debe llevar a una con "
                f"{', '.join(names)}, llenas de ficheros .csv"
            )
    return {name: read_chorales(folder) for name, folder in folders.items()}


def bench(parts, settings, show=lambda row: None, folder=None):
    """Train and judge the baselines and the model; return the Rows and the ChoraleModel.

    parts: {name: chorales}; trained on LEARN, chosen on CHOOSE, judged on all but LEARN,
        so that the figures on CHOOSE flatter the model a little
    show: called with each Row as soon as it is known
    folder: where the training keeps its checkpoint, and goes on from the one that is there;
        the seconds are then those of this time alone
    """
    rows = []
    start = time.perf_counter()
    model = ChoraleModel(parts[LEARN], settings)
    built_s = time.perf_counter() - start
    rivals = Corpus(parts[LEARN], replace(settings, margin=N_GRAM_MARGIN))
    # What cannot be judged is refused before a training of many minutes, not after it.
    judged = {name: chorales for name, chorales in parts.items() if name != LEARN}
    for chorales in judged.values():
        model.corpus.check(chorales)
    counted = _baselines(rivals, judged)
    trained = _trained(model, parts[CHOOSE], judged, built_s, folder)
    for row in chain(counted, trained):
        rows.append(row)
        show(row)
    return rows, model


def _baselines(corpus, judged):
    """Yield the Rows of predictors that only count, over the voices by turns."""
    # The chorales as they stand, and in every key that their voices can sing.
    as_sung, in_all_keys = [], []
    for chorale in corpus.chorales:
        as_sung.append(_ids(chorale, corpus))
        for shift in corpus.keys(chorale):
            in_all_keys.append(_ids(chorale, corpus, shift))
    makers = {
        "copia de la semicorchea": lambda: Copy(as_sung, corpus.n_symbols, lag=N_VOICES),
        f"{N_GRAM}-grama, transportado": lambda: NGram(in_all_keys, corpus.n_symbols, N_GRAM),
    }
    for name, make in makers.items():
        start = time.perf_counter()
        predictor = make()
        seconds = time.perf_counter() - start
        for part, chorales in judged.items():
            sequences = [_ids(chorale[:, ORDER], corpus) for chorale in chorales]
            score, voices = _judge(predictor, sequences)
            yield Row(name, part, score.nll, score.accuracy, *voices, seconds)


def _judge(predictor, sequences):
    """Return the Likelihood of flat sequences, and the NLL of each voice, high to low."""
    losses = []

    def listening(ids):
        log_probs = predictor(ids)
        nll = -log_probs[np.arange(len(ids)), ids]
        losses.append(nll.reshape(-1, N_VOICES))
        return log_probs

    score = held_out_likelihood(listening, sequences)
    by_voice = np.concatenate(losses).mean(axis=0)
    return score, by_voice[HIGH_TO_LOW].tolist()


def _ids(chorale, corpus, semitones=0):
    """Return a chorale's symbols, sixteenth by sixteenth, voice by voice: (4 n_sixteenths,)."""
    symbols = chorale + corpus.shift(semitones)
    return np.where(chorale > 0, symbols, 0).reshape(-1)


def _trained(model, valid, judged, built_s, folder):
    start = time.perf_counter()
    model.train(valid, folder, load_previous=True)
    seconds = built_s + time.perf_counter() - start
    for part, chorales in judged.items():
        score, voices = model.score(model.features(chorales))
        yield Row("red del coral", part, score.nll, score.accuracy, *map(float, voices), seconds)
