import math
from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest

from musiclab.evaluation import copied_run, count_votes
from musiclab.exercises import PENDING, RIGHT, WRONG
from musiclab.exercises.measuring import ALL, NLL, PASAJE_COPIADO, REPARTIR, UNIGRAMA
from musiclab.music import NoteEvent, Song

FUNCTIONS = (NLL, UNIGRAMA, REPARTIR, PASAJE_COPIADO)

# What a student might write, right


def right_nll(p):
    return float(np.mean(-np.log(p)))


def right_unigrama(songs, n):
    counts = Counter(chain(*songs))
    return [(counts[k] + 1) / (counts.total() + n) for k in range(n)]


def right_repartir(songs, fraction):
    names = [str(np.diff(song).tolist()) for song in songs]
    held_out = []
    for name in reversed(list(dict.fromkeys(names))):
        if len(held_out) < fraction * len(songs):
            held_out += [k for k in range(len(songs)) if names[k] == name]
    return [k for k in range(len(songs)) if k not in held_out], sorted(held_out)


def right_pasaje(song, others):
    best = 0
    for other in others:
        for a in range(len(song)):
            for b in range(len(other)):
                n = 0
                while (
                    max(a - len(song), b - len(other)) + n < 0
                    and song[a + n] - song[a] == other[b + n] - other[b]
                ):
                    n += 1
                best = max(best, n)
    return best


RIGHT_ANSWERS = dict(
    zip([exercise.name for exercise in FUNCTIONS],
        (right_nll, right_unigrama, right_repartir, right_pasaje), strict=True)
)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", RIGHT_ANSWERS)
def test_right_answers_are_right(name, seed):
    for function in (ALL[name].solve, RIGHT_ANSWERS[name]):
        verdict = ALL[name].check(function, seed)
        assert verdict.status == RIGHT, verdict.reason
        assert verdict.n_right == verdict.n_cases > 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.name)
def test_the_known_misconceptions_are_told_apart(exercise, seed):
    for name, (variant, _) in exercise.wrong.items():
        assert exercise.check(variant, seed).misconception == name


# Wrong ones


def too_general_unigrama(songs, n):
    return [1 / n] * n


def unigrama_of_a_wrong_total(songs, n):
    notes = [*chain(*songs)]
    return [(notes.count(k) + 1) / len(notes) for k in range(n)]


def unigrama_by_set(songs, n):
    notes = [*chain(*songs)]
    return [(notes.count(k) + 1) / (len(notes) + len(set(notes))) for k in range(n)]


def unigrama_with_zeros(songs, n):
    notes = [*chain(*songs)]
    return [notes.count(k) / len(notes) for k in range(n)]


def unigrama_overwritten(songs, n):
    for song in songs:
        p = [(song.count(k) + 1) / (len(song) + n) for k in range(n)]
        return p


def unigrama_plus_one(songs, n):
    notes = [*chain(*songs)]
    return [(notes.count(k) + 1) / (1 + len(notes)) for k in range(n)]


def unigrama_patched(songs, n):
    notes = [*chain(*songs)]
    counts = [notes.count(k) or 1 for k in range(n)]
    return [count / sum(counts) for count in counts]


def repartir_the_end(songs, fraction):
    n = math.ceil(fraction * len(songs))
    ids = list(range(len(songs)))
    return ids[:-n], ids[-n:]


def families_of(songs, key):
    found = {}
    for k, song in enumerate(songs):
        found.setdefault(str(key(song)), []).append(k)
    return list(found.values())


def two_sides(families, n):
    train, held_out = [], []
    for family in families:
        (held_out if len(held_out) < n else train).extend(family)
    return sorted(train), sorted(held_out)


def repartir_pitches(songs, fraction):
    return two_sides(families_of(songs, list)[::-1], fraction * len(songs))


def repartir_first(songs, fraction):
    return two_sides(families_of(songs, np.diff), fraction * len(songs))


def repartir_absolute(songs, fraction):
    families = families_of(songs, lambda song: abs(np.diff(song)))
    return two_sides(families[::-1], fraction * len(songs))


def repartir_swapped(songs, fraction):
    train, held_out = right_repartir(songs, fraction)
    return held_out, train


def repartir_songs(songs, fraction):
    train, held_out = right_repartir(songs, fraction)
    return [songs[k] for k in train], [songs[k] for k in held_out]


def repartir_sorts(songs, fraction):
    answer = right_repartir(songs, fraction)
    songs.sort(reverse=True)
    return answer


def pasaje_steps(song, others):
    steps = str(np.diff(song).tolist())[1:-1]
    best = 0
    for a in range(len(song)):
        for b in range(a + 1, len(song) + 1):
            run = np.diff(song[a:b]).tolist()
            for other in others:
                their = np.diff(other).tolist()
                if any(their[k : k + len(run)] == run for k in range(len(their) + 1)):
                    best = max(best, len(run))
    return best if steps else 0


def pasaje_pitches(song, others):
    runs = [song[a:b] for a in range(len(song)) for b in range(a + 1, len(song) + 1)]
    found = [
        len(run)
        for run in runs
        for other in others
        if any(other[k : k + len(run)] == run for k in range(len(other)))
    ]
    return max(found, default=0)


def pasaje_glued(song, others):
    return right_pasaje(song, [[pitch for other in others for pitch in other]])


def pasaje_first(song, others):
    for other in others:
        return right_pasaje(song, [other])
    return 0


def pasaje_last(song, others):
    longest = 0
    for other in others:
        longest = right_pasaje(song, [other])
    return longest


def pasaje_mod_12(song, others):
    steps = [(b - a) % 12 for a, b in pairwise(song)]
    song = np.cumsum([0, *steps]).tolist()
    others = [np.cumsum([0, *((b - a) % 12 for a, b in pairwise(o))]).tolist() for o in others]
    return right_pasaje(song, others)


def pasaje_side_by_side(song, others):
    best = 0
    for other in others:
        n = 1
        for (a, b), (c, d) in zip(pairwise(song), pairwise(other), strict=False):
            n = n + 1 if b - a == d - c else 1
            best = max(best, n)
        best = max(best, 1)
    return best


def loses_sign(p):
    return sum(math.log(x) for x in p) / len(p)


WRONG_ANSWERS = [
    ("nll", lambda p: -sum(map(math.log2, p)) / len(p), "log2"),
    ("nll", lambda p: -sum(map(math.log, p)), "sum"),
    ("nll", loses_sign, "sign"),
    ("nll", lambda p: -math.log(sum(p) / len(p)), "log_of_mean"),
    ("nll", lambda p: math.exp(-np.mean(np.log(p))), "perplexity"),
    ("nll", lambda p: -float(np.mean(np.log10(p))), "log10"),
    ("nll", lambda p: sum(p) / len(p), "mean_probability"),
    ("nll", lambda p: -math.log(p), "exception"),
    ("nll", lambda p: print(right_nll(p)), "printed"),
    ("nll", lambda p: [-math.log(x) for x in p], ""),
    ("unigrama", unigrama_with_zeros, "no_smoothing"),
    ("unigrama", unigrama_of_a_wrong_total, "total_without_ones"),
    ("unigrama", unigrama_by_set, "kinds_seen"),
    ("unigrama", unigrama_overwritten, "first_song"),
    ("unigrama", unigrama_plus_one, "total_one_more"),
    ("unigrama", unigrama_patched, "only_unseen"),
    ("unigrama", too_general_unigrama, ""),
    ("unigrama", lambda songs, n: dict(enumerate(right_unigrama(songs, n))), ""),
    ("repartir", repartir_the_end, "parted_twins"),
    ("repartir", repartir_pitches, "pitches"),
    ("repartir", repartir_first, "first_families"),
    ("repartir", repartir_absolute, "absolute_intervals"),
    ("repartir", repartir_swapped, "swapped"),
    ("repartir", repartir_songs, "songs"),
    ("repartir", repartir_sorts, "changed_argument"),
    ("pasaje_copiado", pasaje_steps, "counts_intervals"),
    ("pasaje_copiado", pasaje_pitches, "pitches"),
    ("pasaje_copiado", pasaje_glued, "joined_songs"),
    ("pasaje_copiado", pasaje_first, "first_song"),
    ("pasaje_copiado", pasaje_last, "last_song"),
    ("pasaje_copiado", pasaje_mod_12, "pitch_classes"),
    ("pasaje_copiado", pasaje_side_by_side, "same_place"),
]


@pytest.mark.parametrize("name, function, misconception", WRONG_ANSWERS)
def test_wrong_answers_get_their_sentence(name, function, misconception):
    for seed in (0, 1):
        verdict = ALL[name].check(function, seed)
        assert verdict.status == WRONG
        assert verdict.misconception == misconception, verdict.reason
        if misconception in ALL[name].wrong:
            assert ALL[name].wrong[misconception][1] in verdict.reason


def test_each_exercise_has_five_wrong_answers_or_more():
    counts = Counter(name for name, _, _ in WRONG_ANSWERS)
    assert set(counts) == set(RIGHT_ANSWERS) and min(counts.values()) >= 5


# What is said


def test_parted_twins_are_named():
    picture = ALL["repartir"].check(repartir_the_end).picture
    assert "Gemelas: 1 y 3." in picture and "Tienes 1 y 3 en lados distintos." in picture


def test_the_shared_passage_is_played():
    assert "<audio" in ALL["pasaje_copiado"].check(pasaje_pitches).picture


def test_the_passage_is_what_the_detector_finds():
    def song_of(pitches):
        return Song(tuple(NoteEvent(k, 1.0, (pitch,)) for k, pitch in enumerate(pitches)))

    for song, others in PASAJE_COPIADO.cases(np.random.default_rng(0)):
        run = copied_run(song_of(song), [song_of(other) for other in others])
        assert run.length == PASAJE_COPIADO.solve(song, others)


@pytest.mark.parametrize(
    "name, right, wrong",
    [("pregunta_1", 2.08, 3.0), ("pregunta_1", math.log(8), 8), ("pregunta_2", "b", "a"),
     ("pregunta_2", "B", "c"), ("pregunta_3", "c", "a"), ("pregunta_3", "c", "b")],
)  # fmt: skip
def test_questions(name, right, wrong):
    assert ALL[name].check(right).status == RIGHT
    assert ALL[name].check(wrong).status == WRONG
    assert ALL[name].check(None).status == PENDING


def test_the_votes_of_the_question():
    assert f"{100 * count_votes('A' * 6 + 'B' * 4, 'A').chance:.0f}" == "8"
