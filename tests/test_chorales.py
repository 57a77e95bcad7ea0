"""Chorales on a grid: what is read, what is remembered, and that nothing is known too early."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import random_chorale

from musiclab.chorales import read_chorales
from musiclab.chorales.features import (
    BEFORE,
    CYCLES,
    WITHIN,
    features,
    features_of_choices,
    with_end,
)
from musiclab.chorales.files import END, MEMORIES, N_VOICES, NOT_YET, SOURCES
from musiclab.chorales.memories import Guesser, Memory, corpus_memories
from musiclab.errors import DatasetError

GOOD = "note0,note1,note2,note3\n72,67,64,48\n72,67,0,48\n"


def write(folder, text, name="chorale_000.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def seen_in(chorale, memories=None):
    memories = memories or corpus_memories([random_chorale(seed) for seed in (101, 102)])
    return features(chorale, *Guesser(memories).guess(chorale))


def test_chorales_are_read_sorted_by_name(tmp_path):
    write(tmp_path / "train", GOOD.replace("72", "74"), "b.csv")
    chorales = read_chorales(write(tmp_path / "train", GOOD, "a.csv"))
    assert [chorale[0, 0] for chorale in chorales] == [72, 74]
    assert chorales[0].tolist() == [[72, 67, 64, 48], [72, 67, 0, 48]]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (GOOD + "72,67,64\n", "línea 4"),
        (GOOD + "72,67,64,48,40\n", "línea 4"),
        (GOOD + "72,67,do,48\n", "do"),
        (GOOD + "72,67,-1,48\n", "-1"),
        (GOOD + "72,67,6.5,48\n", "6.5"),
        (GOOD + "72,67,²,48\n", "línea 4"),
        (GOOD + "72,67,128,48\n", "128"),
        (GOOD + "\n72,67,64,48\n", "línea 4"),
        ("note0,note1,note2,note3\n", "ninguna semicorchea"),
        ("", "ninguna semicorchea"),
        (b"\xff\xfe\x00garbage", "no se puede leer"),
        ("72,67,64,48\n72,67,0,48\n", "nombres de las voces"),
        (GOOD + "1" * 5000 + ",1,1,1\n", "línea 4"),
    ],
)
def test_a_broken_file_is_named_in_one_sentence(tmp_path, text, part):
    folder = write(tmp_path / "train", text)
    with pytest.raises(DatasetError) as caught:
        read_chorales(folder)
    assert "chorale_000.csv" in str(caught.value) and part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_chorales_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="ningún fichero"):
        read_chorales(tmp_path)


@given(st.integers(0, 10**6), st.integers(-12, 12))
def test_a_memory_recognises_what_it_heard_in_another_key(seed, semitones):
    chorale = random_chorale(seed)
    chorale[chorale == 0] = 60  # silence has no key
    memory = Memory(*MEMORIES["all"])
    memory.add(chorale)
    higher = chorale + semitones
    trust, chord = memory.guess(higher, memory.shapes(higher), 35)
    assert trust > 0 and chord.tolist() == higher[35].tolist()


def test_a_memory_forgets_what_is_taken_out():
    chorale = random_chorale(3)
    memory = Memory(*MEMORIES["all"])
    memory.add(chorale)
    memory.add(chorale, -1)
    trust, chord = memory.guess(chorale, memory.shapes(chorale), 35)
    assert trust == 0 and chord.tolist() == chorale[34].tolist()


@given(st.integers(0, 10**6), st.booleans())
def test_a_guess_does_not_tell_what_was_learned_first_or_taken_out(seed, first):
    """Two chorales go on differently after the same notes, and so does the one that is read."""
    reads, one, two = (random_chorale(seed) for _ in range(3))
    for k, chorale in enumerate((reads, one, two)):
        chorale[chorale == 0] = 60
        chorale[20:] = chorale[19] + np.random.default_rng(seed + k).integers(-3, 4, (20, 4))
    honest, taken_out = Memory(*MEMORIES["all"]), Memory(*MEMORIES["all"])
    honest.add(one), honest.add(two)
    for chorale in (reads, one, two) if first else (two, one, reads):
        taken_out.add(chorale)
    taken_out.add(reads, -1)
    shapes = honest.shapes(reads)
    for t in range(1, 24):
        (trust, chord), (trust2, chord2) = (m.guess(reads, shapes, t) for m in (honest, taken_out))
        assert trust == trust2 and (chord == chord2).all()


def test_a_chorale_that_repeats_itself_is_foretold():
    chorale = np.concatenate([random_chorale(4)] * 2)
    trust, guess = Guesser(corpus_memories([])).guess(chorale)
    own = SOURCES.index(("piece", "all"))
    assert trust[75, own] > trust[20, own]
    assert (guess[50:, :, own] == chorale[50:]).all()


def test_a_chord_held_for_a_bar_is_not_remembered_as_held_for_ever():
    held = np.tile([72, 67, 64, 48], (40, 1))
    memory = Memory(*MEMORIES["all"])
    memory.add(held)
    trusts = [memory.guess(held, memory.shapes(held), t)[0] for t in range(1, 40)]
    assert min(trusts[3:15]) > 0 and max(trusts[15:]) == 0  # a quarter to less than a bar; more


def test_a_memory_of_its_own_tires_of_a_bar_and_of_nothing_shorter():
    """The fourth time nothing is guessed, of a bar; a short turn may come as often as it likes."""
    own = SOURCES.index(("piece", "all"))
    for length, tires in ((20, True), (6, False)):
        turn = np.random.default_rng(0).integers(50, 70, (length, N_VOICES))
        between = [np.full((9, N_VOICES), 60 + k) for k in range(5)]
        chorale = np.concatenate([part for pause in between for part in (turn, pause)])
        trust, _ = Guesser(corpus_memories([])).guess(chorale)
        ends = [k * (length + 9) + length - 1 for k in range(1, 5)]
        known = (trust[ends, own] > 0).tolist()
        assert known == [True, True, not tires, not tires]


def test_guesses_one_by_one_are_those_of_the_whole():
    chorale, memories = random_chorale(5), corpus_memories([random_chorale(6)])
    trust, guess = Guesser(memories).guess(chorale)
    guesser = Guesser(memories)
    steps = [guesser.guess(chorale[: t + 1], t) for t in range(len(chorale))]
    assert (np.concatenate([step[0] for step in steps]) == trust).all()
    assert (np.concatenate([step[1] for step in steps]) == guess).all()


@given(st.integers(0, 10**6), st.integers(0, 39), st.integers(0, N_VOICES - 1))
def test_nothing_is_known_of_a_symbol_before_its_turn(seed, t, voice):
    chorale = random_chorale(seed)
    other = chorale.copy()
    other[t, voice:] = 80 - other[t, voice:] // 2
    other[t + 1 :] = random_chorale(seed + 1)[t + 1 :]
    one, two = seen_in(chorale), seen_in(other)
    for name in ("previous", "before", "trust", "guess", "tones", "pulse"):
        assert (getattr(one, name)[: t + 1] == getattr(two, name)[: t + 1]).all(), name
    for name in ("chosen", "within"):
        assert (getattr(one, name)[t, : voice + 1] == getattr(two, name)[t, : voice + 1]).all()
        assert (getattr(one, name)[:t] == getattr(two, name)[:t]).all()


@given(st.integers(0, 10**6), st.integers(-5, 5))
def test_classes_do_not_depend_on_the_key(seed, semitones):
    # A memory counts silence as a very low note: motions from and to it change with the key.
    chorale, *known = (np.where(c > 0, c, 60) for c in map(random_chorale, (seed, 101, 102, seed)))
    known[-1] = known[-1][10:]
    higher = chorale + semitones
    memories = corpus_memories(known)
    one, two = seen_in(chorale, memories), seen_in(higher, memories)
    assert one.trust.any()
    for name in ("before", "within", "trust"):
        assert (getattr(one, name) == getattr(two, name)).all(), name
    moved = one.window(0, len(chorale), semitones)
    assert (moved.target == higher).all() and (moved.previous == two.previous).all()
    np.testing.assert_allclose(moved.tones, two.tones, atol=1e-6)


def test_classes_fit_their_one_hot_vectors():
    seen = seen_in(random_chorale(8, 120))
    for classes, columns in ((seen.before, BEFORE), (seen.within, WITHIN)):
        assert classes.shape[-1] == len(columns)
        assert (classes < [size for _, size in columns]).all() and (classes >= NOT_YET).all()


def test_tones_are_shares_of_what_sounded_before():
    chorale = np.tile([72, 67, 64, 48], (3, 1))
    chorale[1] = [74, 67, 0, 50]
    tones = seen_in(chorale).tones
    assert tones.shape == (3, 2, 12) and not tones[0].any()
    assert tones[1, 0, [0, 4, 7]].tolist() == [0.5, 0.25, 0.25]
    # Seven notes sounded, of which the three last are the fresher ones.
    assert tones[2, 0, [0, 2, 4, 7]] == pytest.approx([2 / 7, 2 / 7, 1 / 7, 2 / 7])
    assert tones[2, 1, 2] > tones[2, 1, 0] and tones[2].sum(axis=1) == pytest.approx([1, 1])


def test_pulse_tells_where_in_a_bar_voices_changed():
    """The soprano changes with each quarter, the bass with each half, the inner voices never."""
    t = np.arange(64)
    chorale = np.stack([72 + t // 4 % 2, 48 + t // 8 % 2, 0 * t + 64, 0 * t + 60], axis=1)
    pulse = seen_in(chorale).pulse[-16:]
    by_cycle = pulse.reshape(16, len(CYCLES), N_VOICES + 1)
    # Of twelve quarters before, eleven began with a change: all but the first. Half a
    # change in two times is added to what was counted, so that nothing is certain.
    quarters = by_cycle[:, CYCLES.index(4)]
    assert quarters[:4, 0] == pytest.approx([11.5 / 14, 0.5 / 14, 0.5 / 14, 0.5 / 14])
    halves = by_cycle[:, CYCLES.index(8)]
    assert halves[[0, 4], 1] == pytest.approx([5.5 / 8, 0.5 / 8])
    assert (quarters[:, -1] == quarters[:, 0]).all() and quarters[:, 2].max() < 0.1


def test_a_voice_is_held_since_it_began_and_came_from_what_was_before():
    chorale = np.array([[60, 48, 64, 55], [60, 50, 64, 55], [62, 50, 64, 55], [62, 50, 65, 55]])
    names = [name for name, _ in BEFORE]
    held = seen_in(chorale).before[:, [k for k, name in enumerate(names) if name == "held"]]
    assert held.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1], [0, 1, 2, 2]]


def test_choices_are_seen_as_if_they_stood_in_the_chorale():
    chorale, other = random_chorale(12), random_chorale(13)
    replaced = chorale.copy()
    replaced[-1] = other[-1]
    memories = corpus_memories([random_chorale(101)])
    one = features_of_choices(seen_in(chorale, memories), other[-1:])
    two = seen_in(replaced, memories)
    for name in ("previous", "chosen", "guess", "within", "trust", "tones", "pulse"):
        assert (getattr(one, name) == getattr(two, name)[-1:]).all(), name


def test_the_end_is_one_symbol_of_the_voice_that_chooses_first():
    chorale = random_chorale(14)
    seen = seen_in(with_end(chorale))
    assert seen.target[-1].tolist() == [END, NOT_YET, NOT_YET, NOT_YET]
    assert (seen.previous[-1] == chorale[-1]).all()
    for name in ("previous", "before", "within", "tones", "pulse"):
        assert (getattr(seen, name)[:-1] == getattr(seen_in(chorale), name)).all(), name


def test_a_window_past_the_end_is_marked():
    window = seen_in(random_chorale(9)).window(30, 16, 1)
    assert (window.target[10:] == NOT_YET).all() and (window.target[:10] != NOT_YET).all()
    assert window.within.shape == (16, N_VOICES, len(WITHIN))


def test_an_idea_left_out_leaves_no_trace():
    chorale = np.concatenate([random_chorale(10)] * 2)
    other = chorale.copy()
    other[:40] = random_chorale(11)
    ideas = ("piece", "corpus")
    trust = seen_in(chorale).without(ideas).trust
    assert seen_in(chorale).trust.any() and not trust.any()
    columns = [idea in ideas for idea, _ in WITHIN]
    assert (seen_in(chorale).without(ideas).within[..., columns] == NOT_YET).all()
    assert (seen_in(chorale).without(["chosen"]).chosen == NOT_YET).all()
    for idea in ("tones", "pulse"):
        assert getattr(seen_in(chorale), idea).any()
        assert not getattr(seen_in(chorale).without([idea]), idea).any()
