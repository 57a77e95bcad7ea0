"""How a chorale is written: whole chords are drawn, of all that have a chance.

Conventions: see `files`. Voices stand in ORDER within a Draft, and from high to low in what
`write` and `harmonise` take and give.
"""

from copy import copy
from pathlib import Path

import numpy as np

from musiclab.chorales.features import features, features_of_choices
from musiclab.chorales.files import HIGH_TO_LOW, N_VOICES, NOT_YET, ORDER
from musiclab.chorales.memories import Guesser
from musiclab.chorales.network import CHOOSES, Reading
from musiclab.chorales.rules import root_position_triad
from musiclab.encoding import motifs
from musiclab.errors import MusiclabError, ParameterError
from musiclab.logits import log_softmax, softmax
from musiclab.midi import load_midi
from musiclab.midi.folders import SUFFIXES
from musiclab.music.voices import SIXTEENTHS, notes_on_grid
from musiclab.progress import progress

SMALLEST = np.log(1e-3)  # a chord's chance beside the likeliest one's: less is not worth the time
MOST_CHORDS = 500  # that are looked at; a trained network has about a hundred
OF_VOICES = ("voice", "chosen", "guess", "within")  # what differs from voice to voice
AT_MOST = 640  # sixteenths: forty bars, longer than all but a few of Bach's chorales
TEMPERATURE, TOP_P = 0.8, 0.8
END_ODDS = 2.6  # by which the odds of the end are raised: see `raised`
N_DRAFTS = 6
VOICES = ("soprano", "alto", "tenor", "bajo")
MODES = {"mayor": 4, "menor": 3}  # semitones of the third
# The keys of three sharps or flats at most, as (pitch class of the tonic, semitones of the third).
EASY_KEYS = tuple((7 * fifth % 12, 4) for fifth in range(-3, 4)) + tuple(
    ((7 * fifth - 3) % 12, 3) for fifth in range(-3, 4)
)


class Draft:
    """A chorale as far as it is written, and what may sound next.

    chords: (n_sixteenths, 4); log_weight: how likely were the notes that were given
    """

    def __init__(self, model):
        """Begin one with a ChoraleModel."""
        self.model = model
        self.chords = np.zeros((0, N_VOICES), dtype=int)
        self.log_weight = 0.0
        self._guesser = Guesser(model.corpus.memories)
        self._trust, self._guess = [], []
        self._reading = Reading(model.reader, model.corpus.n_symbols)

    def copy(self):
        """Return a draft of the same chorale, which goes on in its own way."""
        other = copy(self)
        other._guesser, other._reading = self._guesser.copy(), self._reading.copy()
        other._trust, other._guess = list(self._trust), list(self._guess)
        return other

    def choices(self, given=None):
        """Return (chords (n, 4), log_probs (n,), end): what may sound in the next sixteenth.

        To be asked once before each chord that is taken: the reader reads on.

        given: (4,) notes that are fixed, NOT_YET where a voice is free, 0 where it is silent
        log_probs: of each chord, if the chorale goes on; end: the chance that it is over
        """
        given = np.full(N_VOICES, NOT_YET) if given is None else given
        shift, n_symbols = self.model.corpus.shift(0), self.model.corpus.n_symbols
        seen, hidden = self._look()
        chords, log_probs = np.full((1, N_VOICES), NOT_YET), np.zeros(1)
        for voice in range(N_VOICES):
            logits = self._logits(seen, hidden, chords, voice)
            if voice == 0:
                end = float(softmax(logits)[0, n_symbols])
            of_symbols = log_softmax(logits[:, :n_symbols])
            if given[voice] > 0:
                allowed = np.array([given[voice] + shift])
            elif given[voice] == 0:
                allowed = np.array([0])
            else:
                allowed = np.arange(1, n_symbols)  # no voice falls silent by itself
            # Each chord so far with each note of this voice, as long as it has a chance.
            together = log_probs[:, None] + of_symbols[:, allowed]
            least = max(together.max() + SMALLEST, _nth_largest(together, MOST_CHORDS))
            rows, columns = np.nonzero(together >= least)
            log_probs, chords = together[rows, columns], chords[rows]
            symbols = allowed[columns]
            chords[:, voice] = np.where(symbols > 0, symbols - shift, 0)
        return chords, log_probs, end

    def take(self, chord):
        """Write one chord (4,) more."""
        self.chords = np.concatenate([self.chords, [chord]])

    def _look(self):
        """Return what is known of the next sixteenth: the Features so far, and what the reader says."""
        chorale = np.concatenate([self.chords, np.zeros((1, N_VOICES), dtype=int)])
        trust, guess = self._guesser.guess(chorale, len(self._trust))
        self._trust.extend(trust)
        self._guess.extend(guess)
        seen = features(chorale, np.stack(self._trust), np.stack(self._guess))
        visible = seen.without(self.model.settings.without)
        shift = self.model.corpus.shift(0)
        return seen, self._reading.read_on(visible.window(0, len(chorale), shift))

    def _logits(self, seen, hidden, chords, voice):
        """Return (n, n_symbols + 1) of a voice beside each of some chords, as far as these are chosen."""
        rows = features_of_choices(seen, chords).without(self.model.settings.without)
        rows = rows.window(0, len(chords), self.model.corpus.shift(0))
        inputs = {"hidden": np.repeat(hidden, len(chords), axis=1)}
        for name in CHOOSES:
            known = getattr(rows, name)
            inputs[name] = known[None, :, [voice]] if name in OF_VOICES else known[None]
        return self.model.choose(inputs)[0, :, 0]


def _nth_largest(numbers, n):
    """Return the n-th largest of some numbers, or the smallest when they are fewer."""
    flat = numbers.reshape(-1)
    return np.partition(flat, -n)[-n] if len(flat) > n else flat.min()


def write(model, rng, at_most=AT_MOST, key=None, prompt=None, temperature=TEMPERATURE, top_p=TOP_P):
    """Return a chorale (n_sixteenths, 4) that a ChoraleModel writes until it ends it.

    rng: numpy Generator
    at_most: sixteenths after which it is cut, if it has not ended by then
    key: such as "re menor"; it begins with the tonic's triad, without a key with one of EASY_KEYS
    prompt: a chorale (n, 4) to begin with instead
    temperature, top_p: see `draw`

    Raises ParameterError for a key that does not exist, and for a prompt that
    is too long or has notes that the model does not know.
    """
    prompt = np.zeros((0, N_VOICES), dtype=int) if prompt is None else np.asarray(prompt)
    if not len(prompt) < at_most:
        raise ParameterError(
            f"el coral tendría {at_most} semicorcheas como mucho, y el principio ya tiene "
            f"{len(prompt)}: pide más",
            name="at_most",
            value=at_most,
            prompt=len(prompt),
        )
    model.corpus.check([prompt])
    keys = EASY_KEYS if key is None else (read_key(key),)
    draft = Draft(model)
    for t in progress(range(at_most), "Componiendo", "semicorchea"):
        if t < len(prompt):
            draft.choices()
            draft.take(prompt[t, ORDER])
            continue
        chords, log_probs, end = draft.choices()
        if t > 0 and rng.random() < raised(end):
            break
        if t == 0:
            opens = [_is_tonic(chord[HIGH_TO_LOW], keys) for chord in chords]
            if any(opens):
                chords, log_probs = chords[opens], log_probs[opens]
        draft.take(draw(chords, log_probs, draft.chords, rng, temperature, top_p))
    return draft.chords[:, HIGH_TO_LOW]


def raised(chance):
    """Return the chance of the end with its odds raised: the network expects it too seldom.

    A window of a training covers the end of a chorale in 22 of 100 draws, a sixteenth before it in 58.
    """
    raised = END_ODDS * chance
    return raised / (raised + 1 - chance)


def draw(chords, log_probs, before, rng, temperature=TEMPERATURE, top_p=TOP_P):
    """Return one of the chords (n, 4), drawn by their log_probs (n,).

    Whether anything changes is drawn as the network says it; what it changes to is
    drawn colder, of the likeliest chords that together have the chance `top_p`.
    Colder throughout would hold chords for bars.

    before: the chorale so far
    """
    probs = softmax(log_probs)
    if len(before):
        stays = (chords == before[-1]).all(axis=1)
        if rng.random() < probs[stays].sum():
            return before[-1]
        log_probs = np.where(stays, -np.inf, log_probs)
        if not np.isfinite(log_probs).any():
            return before[-1]
    probs = softmax(log_probs / temperature)
    likeliest = np.argsort(-probs, kind="stable")
    n_kept = 1 + int((np.cumsum(probs[likeliest]) < top_p).sum())
    kept = likeliest[:n_kept]
    return chords[rng.choice(kept, p=probs[kept] / probs[kept].sum())]


def read_key(text):
    """Return (pitch class of the tonic, semitones of the third) of a key such as "re menor".

    Raises ParameterError for any other text.
    """
    wrong = ParameterError(
        f"«{text}» no es una tonalidad: escribe, por ejemplo, «re menor» o «Sib mayor»",
        name="key",
        value=text,
    )
    name, _, mode = text.lower().strip().partition(" ")
    third = MODES.get(mode.strip())
    if third is None:
        raise wrong
    try:
        tonic = motifs.parse_motif(f"{name}4").events[0].pitches[0] % 12
    except MusiclabError:
        raise wrong from None
    return tonic, third


def _is_tonic(chord, keys):
    """Return whether a chord, high to low, is the triad of one of some keys' tonics over its root."""
    third = {4, 3} & {int(pitch - chord[-1]) % 12 for pitch in chord}
    return root_position_triad(chord) and (int(chord[-1]) % 12, third.pop()) in keys


def read_melody(text):
    """Return the Song of a MIDI file, or of notes as `motifs.parse_motif` reads them.

    Raises MidiError for a file that is none, ParameterError for notes that are none.
    """
    if Path(text).suffix.lower() in SUFFIXES:
        return load_midi(text)
    return motifs.parse_motif(text)


def melody_of(song):
    """Return (n_sixteenths,): the highest note of a Song in each sixteenth, 0 for silence."""
    notes = [note for note in notes_on_grid(song, SIXTEENTHS) if note.stop > note.start]
    melody = np.zeros(max((note.stop for note in notes), default=0), dtype=int)
    for note in sorted(notes, key=lambda note: note.pitch):
        melody[note.start : note.stop] = note.pitch
    return melody


def harmonise(melody, model, rng, n_drafts=N_DRAFTS, temperature=TEMPERATURE, top_p=TOP_P):
    """Return a chorale (n_sixteenths, 4) whose given notes are kept, and the others written.

    melody: (n_sixteenths,) the soprano's notes, 0 for silence; or (n_sixteenths, 4) with
        NOT_YET wherever a voice is free
    n_drafts: how many are written side by side. At each quarter those that expected the
        given notes least make room for copies of those that expected them most, so
        that later notes weigh on earlier chords: a particle filter (Gordon, Salmond
        and Smith 1993)
    temperature, top_p: see `draw`

    Raises ParameterError when there is no note, or one that a voice does not reach.
    """
    given = _given(np.asarray(melody), model)
    sounding = np.flatnonzero((given != 0).any(axis=1))
    first, last = sounding[0], sounding[-1] + 1
    inner = given[first:last, ORDER]
    drafts = [Draft(model) for _ in range(n_drafts)]
    for t in progress(range(len(inner)), "Armonizando", "semicorchea"):
        for draft in drafts:
            chords, log_probs, _ = draft.choices(inner[t])
            draft.log_weight += float(np.logaddexp.reduce(log_probs))
            draft.take(draw(chords, log_probs, draft.chords, rng, temperature, top_p))
        if t % SIXTEENTHS == SIXTEENTHS - 1:
            drafts = _survivors(drafts, rng)
    # The best is the one that would end here too.
    for draft in drafts:
        draft.log_weight += np.log(draft.choices()[2] + 1e-9)
    best = max(drafts, key=lambda draft: draft.log_weight)
    # All voices are silent before the first note and after the last.
    chorale = np.zeros(given.shape, dtype=int)
    chorale[first:last] = best.chords[:, HIGH_TO_LOW]
    return chorale


def _given(melody, model):
    """Return (n_sixteenths, 4), high to low, of what is given; raise ParameterError if it cannot be sung."""
    if melody.ndim == 1:
        given = np.full((len(melody), N_VOICES), NOT_YET)
        given[:, 0] = melody
        given[_rests_at_the_ends(melody)] = 0
    else:
        given = melody
    if not (given > 0).any():
        raise ParameterError("la melodía no tiene ninguna nota: escribe alguna")
    for voice in range(N_VOICES):
        notes = given[:, voice][given[:, voice] > 0]
        lowest, highest = model.corpus.compass[ORDER.index(voice)]
        if len(notes) and not lowest <= notes.min() <= notes.max() <= highest:
            raise ParameterError(
                f"la voz de {VOICES[voice]} va de la altura {notes.min()} a la {notes.max()}, y el "
                f"modelo la conoce de la {lowest} a la {highest}: transpórtala",
                lowest=int(notes.min()),
                highest=int(notes.max()),
            )
    return given


def _rests_at_the_ends(melody):
    """Return bool (n_sixteenths,): where nothing has sounded yet, or nothing sounds any more."""
    begun = np.maximum.accumulate(melody > 0)
    goes_on = np.maximum.accumulate((melody > 0)[::-1])[::-1]
    return ~(begun & goes_on)


def _survivors(drafts, rng):
    """Return as many drafts, drawn by their weights, once few of them carry most of the weight."""
    weights = softmax(np.array([draft.log_weight for draft in drafts]))
    if 1 / (weights**2).sum() > len(drafts) / 2:
        return drafts
    places = (np.arange(len(drafts)) + rng.random()) / len(drafts)
    survivors = []
    for k in np.searchsorted(np.cumsum(weights), places).clip(max=len(drafts) - 1):
        is_taken = any(draft is drafts[k] for draft in survivors)
        survivors.append(drafts[k].copy() if is_taken else drafts[k])
    for draft in survivors:
        draft.log_weight = 0.0
    return survivors
