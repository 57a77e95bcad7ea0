"""How well a model predicts songs that it has not seen, and against what.

Conventions: a predictor is a function from ids (n_ids,) to natural
logarithms of probabilities (n_ids, vocab_size), whose row t is the
distribution of ids[t] given ids[:t]. NLL is in nats a symbol; perplexity
is exp(NLL).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from musiclab.errors import ParameterError, ShortSequenceError

# Predictors that every model has to beat


class NGram:
    """The n-gram with interpolated Witten-Bell smoothing.

    Each order trusts its own counts as far as its context was seen often
    with few continuations, and leaves the rest to the order below; the
    lowest falls back on the uniform distribution. Order 1 is the unigram,
    order 0 the uniform distribution itself.

    Source: Witten and Bell (1991), The zero-frequency problem.
    """

    def __init__(self, sequences, vocab_size, order):
        """Count the ids of int arrays (n_ids,), one a song."""
        self.vocab_size, self.order = vocab_size, order
        self._counts = [defaultdict(Counter) for _ in range(order)]
        for ids in sequences:
            ids = ids.tolist()
            for t, target in enumerate(ids):
                for length in range(min(order, t + 1)):
                    self._counts[length][tuple(ids[t - length : t])][target] += 1

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        ids = np.asarray(ids).tolist()
        p = [self._distribution(ids[:t]) for t in range(len(ids))]
        return np.log(p).reshape(len(ids), self.vocab_size)  # no ids, no rows

    def _distribution(self, history):
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for length, table in enumerate(self._counts[: len(history) + 1]):
            counts = table.get(tuple(history[len(history) - length :]))
            if counts is None:
                break
            n_kinds, n = len(counts), counts.total()
            p *= n_kinds / (n_kinds + n)
            p[list(counts)] += np.fromiter(counts.values(), float) / (n_kinds + n)
        return p


class Copy:
    """The baseline that expects to see again what it saw `lag` symbols ago.

    It does so with the share of the training songs' symbols that did, by
    Laplace's rule of succession (so never 0 nor 1), and leaves the rest to
    the unigram; so too the first symbols, which have nothing to repeat.

    lag: 1 is the symbol before; in an encoding that takes the voices by
        turns, the number of voices is the same voice a step before
    """

    def __init__(self, sequences, vocab_size, lag=1):
        """Count the ids of int arrays (n_ids,), one a song; vocab_size is 2 or more."""
        if lag < 1:
            raise ParameterError(f"lag es {lag} y debe ser al menos 1, el símbolo anterior")
        self.lag = lag
        self._unigram = np.exp(NGram(sequences, vocab_size, 1)([0]))[0]
        repeats = [ids[lag:] == ids[:-lag] for ids in map(np.asarray, sequences)]
        n_repeats, n = sum(r.sum() for r in repeats), sum(len(r) for r in repeats)
        self.p_repeat = float((n_repeats + 1) / (n + 2))

    def __call__(self, ids):
        """Return log probabilities (n_ids, vocab_size)."""
        p = np.tile(self._unigram, (len(ids), 1))
        if len(ids) > self.lag:
            before = np.asarray(ids)[: -self.lag]
            p[self.lag :] *= ((1 - self.p_repeat) / (1 - self._unigram[before]))[:, None]
            p[np.arange(self.lag, len(ids)), before] = self.p_repeat
        return np.log(p)


# What a predictor is worth


@dataclass(frozen=True)
class Score:
    """How well a predictor foresaw songs, symbol by symbol.

    nll: mean, in nats a symbol
    accuracy: the share of symbols that were the likeliest (of equals, the
        lower id); it says nothing of the others, so never show it alone
    n_symbols: how many were judged
    n_notes: how many notes they stand for, None where nobody said
    """

    nll: float
    accuracy: float
    n_symbols: int
    n_notes: int | None = None

    @property
    def perplexity(self):
        """Among how many equally likely symbols the predictor hesitates."""
        return float(np.exp(self.nll))

    @property
    def nll_per_note(self):
        """Nats a note, which encodings share; NaN without n_notes."""
        return self.nll * self.n_symbols / self.n_notes if self.n_notes else float("nan")

    @property
    def perplexity_per_note(self):
        """exp(nll_per_note)."""
        return float(np.exp(self.nll_per_note))


def held_out_score(predictor, sequences, first=0, n_notes=None):
    """Return the Score of a predictor on songs that it was not trained on.

    sequences: int arrays (n_ids,), one a song
    first: judge the symbols from this position on, so that models that need
        so many symbols before them are compared on the same ones
    n_notes: how many notes the judged symbols stand for, all songs together

    Raises ShortSequenceError when no song is longer than `first`.
    """
    losses, hits = [], []
    for ids in map(np.asarray, sequences):
        if len(ids) > first:
            log_probs, targets = predictor(ids)[first:], ids[first:]
            losses.append(-log_probs[np.arange(len(targets)), targets])
            hits.append(log_probs.argmax(axis=1) == targets)
    if not losses:
        raise ShortSequenceError(
            f"ninguna canción de validación pasa de {first} símbolos: baja SEQUENCE_LEN"
        )
    losses, hits = np.concatenate(losses), np.concatenate(hits)
    return Score(float(losses.mean()), float(hits.mean()), len(losses), n_notes)


def held_out_nll(predictor, sequences, first=0):
    """Return the NLL of `held_out_score`, in nats a symbol."""
    return held_out_score(predictor, sequences, first).nll


# What it has copied


@dataclass(frozen=True)
class CopiedRun:
    """Events in a row that a song shares with another one, and where they stand in both.

    length: in events; 0 where nothing is shared, and then the rest is empty
    start, onset_ql: of its first event in the song
    source_index, source: of the other song, and its name
    source_start, source_onset_ql: of its first event in the other song
    semitones: how much higher the song has it
    """

    length: int = 0
    start: int = 0
    onset_ql: float = 0.0
    source_index: int = 0
    source: str = ""
    source_start: int = 0
    source_onset_ql: float = 0.0
    semitones: int = 0

    def __str__(self):
        if not self.length:
            return "no comparte ninguna nota"
        key = f"a {self.semitones:+d} semitonos" if self.semitones else "en la misma tonalidad"
        return (
            f"comparte {self.length} notas o acordes seguidos, desde la negra {self.onset_ql:g}, "
            f"con «{self.source}», desde la negra {self.source_onset_ql:g}, {key}"
        )


def copied_run(song, songs):
    """Return the longest CopiedRun of a song in any of the others, in any key.

    An event is what begins and ends together in any part (`Song.chords`), and
    the numbers of a CopiedRun count those. Two runs of events are the same when one number of semitones leads from
    every pitch of the one to that of the other; with a note an octave away
    they differ. Times do not count: a melody is no less copied for being
    played to another rhythm. But where voices overlap, times decide which
    notes are one event and which of them comes first. Of equals, it is the
    run that ends first in the song.
    """
    chords = {}
    theirs = [_chords_and_steps(other, chords) for other in songs]
    length, start, k, source_start = _longest_common_run(_chords_and_steps(song, chords), theirs)
    if not length:
        return CopiedRun()
    ours, source = song.chords()[start], songs[k].chords()[source_start]
    return CopiedRun(
        *(length, start, ours.onset_ql, k, songs[k].source, source_start, source.onset_ql),
        semitones=ours.pitches[0] - source.pitches[0],
    )


def longest_copied_run(ids, sequences):
    """Return (length, k, start) of the longest run of ids that song k contains.

    ids: the generated song (n_ids,); sequences: the training songs
    """
    theirs = [_symbols_and_steps(other) for other in sequences]
    length, _, k, start = _longest_common_run(_symbols_and_steps(ids), theirs)
    return length, k, start


_NO_STEP = 128  # to the first symbol of a song; the bass cannot move so far


def _chords_and_steps(song, chords):
    """Return what a key does not change: each chord from its bass on, and how far the bass moved.

    chords: {intervals: number}, to which new ones are added
    Returns two int32 arrays (n_events,), numbers and semitones.
    """
    events = song.chords()
    bass = np.array([event.pitches[0] for event in events])
    intervals = (tuple(p - event.pitches[0] for p in event.pitches) for event in events)
    return _symbols_and_steps([chords.setdefault(i, len(chords)) for i in intervals], np.diff(bass))


def _symbols_and_steps(symbols, steps=0):
    symbols = np.asarray(symbols, dtype=np.int32)
    all_steps = np.full(len(symbols), _NO_STEP, dtype=np.int32)
    all_steps[1:] = steps
    return symbols, all_steps


def _longest_common_run(ours, theirs):
    """Return (length, start, k, start in song k) of the longest run that one of them shares.

    ours: (symbols, steps), int arrays (n_symbols,); theirs: a list of such pairs
    """
    starts = np.cumsum([0, *(len(symbols) for symbols, _ in theirs)])
    sides = zip(_symbols_and_steps([]), *theirs, strict=True)
    symbols, steps = (np.concatenate(side) for side in sides)
    run = np.zeros(len(symbols) + 1, dtype=np.int32)  # run[j + 1]: of the run that ends at j
    best = (0, 0, 0)
    for t, (symbol, step) in enumerate(zip(*ours, strict=True), start=1):
        run[1:] = (symbols == symbol) * (1 + run[:-1] * (steps == step))
        end = int(run.argmax())
        if run[end] > best[0]:
            best = (int(run[end]), t, end)
    length, end, their_end = best
    if not length:
        return 0, 0, 0, 0
    k = int(np.searchsorted(starts, their_end - length, side="right")) - 1
    return length, end - length, k, their_end - length - int(starts[k])
