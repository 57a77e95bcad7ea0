"""What a chorale model writes: from its own probabilities, to an end, around what is given."""

from dataclasses import replace

import numpy as np
import pytest
from strategies import random_chorale

from musiclab.chorales import ChoraleModel, Settings, harmonise, write, writing
from musiclab.chorales.features import with_end
from musiclab.chorales.files import END, NOT_YET, ORDER
from musiclab.chorales.rules import root_position_triad
from musiclab.chorales.writing import Draft, draw, melody_of, read_key, read_melody
from musiclab.errors import ParameterError
from musiclab.logits import log_softmax

SMALL = Settings(
    units=6, width=8, steps=200, epoch_steps=50, window=16, batch_size=4, margin=6, average=0.9,
    forget_inputs=0.0, forget_memory=0.0, dropout=0.0, learning_rate=2e-2,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    """A network that has learned a little of chorales which all end after 24 sixteenths."""
    chorales = [random_chorale(seed, 24) for seed in range(5)]
    for chorale in chorales:
        chorale[0] = (72, 67, 64, 48)
    model = ChoraleModel(chorales, SMALL)
    model.train(chorales[:1])
    return model


def rng(seed=1):
    return np.random.default_rng(seed)


def test_a_draft_expects_what_reading_expects(model):
    """Chord by chord, with each voice's chances added up: the logits of the whole network."""
    chorale = np.where(random_chorale(7, 20) > 0, random_chorale(7, 20), 60)
    logits = model.logits(*model.features([chorale]))
    draft = Draft(model)
    for t, chord in enumerate(chorale[:, ORDER]):
        chords, log_probs, _ = draft.choices(chord)
        assert (chords == chord).all() and len(chords) == 1
        symbols = chord + model.corpus.shift(0)
        expected = log_softmax(logits[t])[np.arange(4), symbols].sum()
        assert log_probs[0] == pytest.approx(expected, abs=1e-3)
        draft.take(chord)


def test_the_chances_of_all_chords_are_one(model, monkeypatch):
    monkeypatch.setattr(writing, "SMALLEST", -np.inf)
    model = ChoraleModel([np.full((20, 4), 60)], replace(SMALL, margin=0, steps=2))
    chords, log_probs, end = Draft(model).choices()
    _, silent, _ = Draft(model).choices(np.zeros(4, dtype=int))
    assert len(chords) == (model.corpus.n_symbols - 1) ** 4 == 1 and 0 < end < 1
    assert np.exp(log_probs).sum() + np.exp(silent).sum() < 1 + 1e-6


def test_the_end_is_learned(model):
    """All its chorales have 24 sixteenths: there it expects the end, and hardly anywhere else."""
    draft, ends = Draft(model), []
    for chord in [*model.corpus.chorales[0], None]:
        ends.append(draft.choices()[2])
        if chord is not None:
            draft.take(chord)
    assert ends[-1] > 3 * max(ends[:20])
    assert with_end(model.corpus.chorales[0])[-1, 0] == END


def test_what_is_written_begins_with_a_tonic_and_is_repeatable(model):
    one, two, other = write(model, rng(), 30), write(model, rng(), 30), write(model, rng(2), 30)
    assert one.tolist() == two.tolist() and one.tolist() != other.tolist()
    assert root_position_triad(one[0]) and one.shape[1] == 4 and len(one) <= 30
    assert one.min() >= model.corpus.lowest and one.max() <= model.corpus.highest
    in_c = write(model, rng(3), 4, key="do mayor")
    assert in_c[0, 3] % 12 == 0 and (in_c[0] - in_c[0, 3]).max() > 0


def test_it_stops_when_it_draws_the_end(model, monkeypatch):
    choices = Draft.choices

    def ending(draft, given=None):
        chords, log_probs, _ = choices(draft, given)
        return chords, log_probs, float(len(draft.chords) == 5)

    monkeypatch.setattr(Draft, "choices", ending)
    assert len(write(model, rng(), 30)) == 5 and len(write(model, rng(), 4)) == 4


def test_the_odds_of_the_end_are_raised_and_certainty_stays():
    even = 1 / (1 + writing.END_ODDS)
    raised = [writing.raised(chance) for chance in (0.0, even, 1.0)]
    assert raised == pytest.approx([0.0, 0.5, 1.0])


def test_a_prompt_is_kept(model):
    prompt = random_chorale(8, 6)
    written = write(model, rng(), 12, prompt=prompt)
    assert (written[:6] == prompt).all() and len(written) > 6
    with pytest.raises(ParameterError, match="6 semicorcheas"):
        write(model, rng(), 6, prompt=prompt)


def test_changes_are_drawn_colder_and_holding_is_not():
    """Half holds; of the changes only the likeliest two that have the chance of 0.9 together."""
    chords = np.array([[60, 1, 1, 1], [60, 2, 2, 2], [60, 3, 3, 3], [60, 4, 4, 4]])
    log_probs = np.log([0.5, 0.35, 0.12, 0.03])
    source = rng(0)
    drawn = [draw(chords, log_probs, chords[:1], source, 1.0, 0.9)[1] for _ in range(2000)]
    shares = np.bincount(drawn, minlength=5) / 2000
    assert shares[4] == 0 and abs(shares[1] - 0.5) < 0.04
    assert abs(shares[2] / shares[3] - 35 / 12) < 0.7


def test_a_given_melody_is_kept_to_the_note_with_its_rests(model):
    melody = np.array([0, 0, 72, 72, 74, 74, 0, 76, 76, 72, 72, 0])
    chorale = harmonise(melody, model, rng(), n_drafts=3)
    assert (chorale[:, 0] == melody).all()
    assert (chorale[[0, 1, 11]] == 0).all() and (chorale[2:11, 1:] > 0).all()
    again = harmonise(melody, model, rng(), n_drafts=3)
    assert (chorale == again).all()


def test_any_voice_can_be_given(model):
    given = np.full((10, 4), NOT_YET)
    given[:, 3], given[4:, 1] = 48, 66
    chorale = harmonise(given, model, rng(), n_drafts=2)
    assert (chorale[:, 3] == 48).all() and (chorale[4:, 1] == 66).all() and (chorale > 0).all()


def test_drafts_that_expected_what_is_given_take_the_place_of_the_others():
    class Stand:
        def __init__(self, name, log_weight):
            self.name, self.log_weight = name, log_weight

        def copy(self):
            return Stand(f"copy of {self.name}", self.log_weight)

    level = [Stand("a", 0.0), Stand("b", 0.1), Stand("c", 0.0)]
    assert writing._survivors(level, rng()) is level
    steep = [Stand("a", -20.0), Stand("b", 0.0), Stand("c", -20.0)]
    survivors = writing._survivors(steep, rng())
    assert sorted(draft.name for draft in survivors) == ["b", "copy of b", "copy of b"]
    assert len({id(draft) for draft in survivors}) == 3
    assert [draft.log_weight for draft in survivors] == [0.0] * 3


@pytest.mark.parametrize(
    ("melody", "sentence"),
    [
        ([0, 0, 0], "ninguna nota"),
        ([], "ninguna nota"),
        ([72, 72, 20], "de la altura 20 a la 72"),
        ([127], "transpórtala"),
    ],
)
def test_a_melody_that_cannot_be_sung_is_told(model, melody, sentence):
    with pytest.raises(ParameterError, match=sentence):
        harmonise(np.array(melody, dtype=int), model, rng())


def test_a_melody_of_one_note_and_a_chromatic_one_are_harmonised(model):
    for melody in ([72], list(range(68, 76))):
        assert harmonise(np.array(melody), model, rng(), n_drafts=2)[:, 0].tolist() == melody


@pytest.mark.parametrize(
    ("text", "key"),
    [("re menor", (2, 3)), ("Sib mayor", (10, 4)), ("fa# menor", (6, 3)), (" do  Mayor", (0, 4))],
)
def test_keys_are_read(text, key):
    assert read_key(text) == key


@pytest.mark.parametrize("text", ["", "re", "menor", "h menor", "re dórico", "re4 menor menor"])
def test_what_is_no_key_is_told(text):
    with pytest.raises(ParameterError, match="no es una tonalidad"):
        read_key(text)


def test_a_melody_is_read_from_notes_and_files(tmp_path):
    from musiclab.midi import save_midi

    song = read_melody("Do5 r Mi5:1/2 Sol5:1/2")
    melody = melody_of(song)
    assert melody.tolist() == [72] * 4 + [0] * 4 + [76] * 2 + [79] * 2
    path = save_midi(song, tmp_path / "melodía.mid")
    assert melody_of(read_melody(str(path))).tolist() == melody.tolist()
    chord = read_melody("Do5+Mi5")
    assert melody_of(chord).tolist() == [76] * 4  # the highest note
