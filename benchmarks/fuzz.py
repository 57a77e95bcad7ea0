"""Damage real files in a thousand ways, and see that each is read or refused in one sentence.

For each kind of file that musiclab reads, a process of its own tries
mutations of real ones until its share of the time is over: flipped bits,
cuts, doublings, splices of two, lengths and numbers of other sizes, other
values within JSON, archives packed anew. A file may be accepted or refused
with a MusiclabError; anything else is a finding, and so is more than SLOW_S
of CPU or MAX_MB of memory, silence for HANG_S or the death of the process.
Findings are written to --output, each with its file. Try k of a seed is
always the same one. Prints a table; exits with 1 when there is a finding.

    .venv/bin/python benchmarks/fuzz.py --minutes 30 --seed 0
"""

import argparse
import io
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
from safetensors.numpy import load, save

from musiclab.errors import MusiclabError

FINE = ("leído", "rechazado")
SLOW_S, HANG_S, MAX_MB, LONGEST = 2.0, 60.0, 4000, 2000
TOKENS = (
    *(b"[" * 100_000, b"{" * 3000, b"9" * 5000, b"1e999", b"-1", b"NaN", b"Infinity", b"null"),
    *(b"\xef\xbb\xbf", b"\r\n", b"\0", b";", b",,,", b"\t", b"&a [*a]", b"*a", b"<<: *a", b"!!"),
    *(b"!!python/object/apply:os.system ['']", b"2001-99-99", b"../", "ñ🎵".encode(), b'"', b"'"),
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
VALUES = (
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**9, 10**30, "", "ñ", "../x", [], {}),
    *([[]], [None], {"a": 1}, [0] * 1000, ["C4", "C4"], ["<unk>", "H9"], "x" * 10_000),
)


# Mutations


def mutate(originals, rng):
    """Return the bytes of one of the originals, changed in one to four places."""
    data = originals[rng.integers(len(originals))]
    if rng.random() < 0.5:
        for inside in (_mutate_archive, _mutate_json):
            changed = inside(data, rng)
            if changed is not None:
                return changed
    for _ in range(rng.integers(1, 5)):
        change = BYTE_CHANGES[rng.integers(len(BYTE_CHANGES))]
        data = change(data, originals, rng)
    return data


def _place(data, rng):
    return int(rng.integers(len(data) + 1))


def _span(data, rng):
    start = _place(data, rng)
    return start, min(len(data), start + int(2 ** rng.uniform(0, 12)))


def _flip(data, _, rng):
    changed = bytearray(data)
    for _ in range(int(2 ** rng.uniform(0, 5))):
        if changed:
            changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(data, _, rng):
    start, end = _span(data, rng)
    return (data[:start], data[start:], data[:start] + data[end:])[rng.integers(3)]


def _insert(data, _, rng):
    start = _place(data, rng)
    new = TOKENS[rng.integers(len(TOKENS))] if rng.random() < 0.7 else rng.bytes(8)
    return data[:start] + new + data[start:]


def _double(data, _, rng):
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 20)) + data[end:]


def _splice(data, originals, rng):
    other = originals[rng.integers(len(originals))]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _length(data, _, rng):
    """Change a number that a chunk or an archive's member begins with, or any four bytes."""
    marks = [data.find(mark, _place(data, rng)) for mark in (b"MTrk", b"MThd", b"PK\1\2", b"PK")]
    start = rng.choice([mark + 4 for mark in marks if mark >= 0] or [_place(data, rng)])
    start += int(rng.choice([0, 0, 2, 6, 14, 18, 20, 24]))
    number = int(NUMBERS[rng.integers(len(NUMBERS))])
    return data[:start] + number.to_bytes(4, ("big", "little")[rng.integers(2)]) + data[start + 4 :]


def _digits(data, _, rng):
    start = next((k for k in range(_place(data, rng), len(data)) if data[k : k + 1].isdigit()), 0)
    end = next((k for k in range(start, len(data)) if not data[k : k + 1].isdigit()), len(data))
    new = (b"-1", b"0", b"1.5", b"128", b"1000000000", b"9" * 400, b"1e400")[rng.integers(7)]
    return data[:start] + new + data[end:]


BYTE_CHANGES = (_flip, _cut, _insert, _double, _splice, _length, _digits)


def _mutate_json(data, rng):
    """Change a value somewhere within a JSON text; None when it is no such text."""
    try:
        value = json.loads(data)
    except ValueError:
        return None
    for _ in range(rng.integers(1, 4)):
        value = _change_value(value, rng)
    return json.dumps(value).encode()


def _change_value(value, rng):
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return VALUES[rng.integers(len(VALUES))]
    changed = value.copy()
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[rng.integers(len(keys))]
    if rng.random() < 0.15:
        del changed[key]
    elif isinstance(value, dict) and rng.random() < 0.1:
        changed[f"{key}2"] = changed[key]
    else:
        changed[key] = _change_value(value[key], rng)
    return changed


def _mutate_archive(data, rng):
    """Change the text or an array of an archive, and seal it anew; None for another file."""
    from musiclab.training.archive import KEY, seal_of

    length = int.from_bytes(data[:8], "little")
    if not data[8:].startswith(b'{"__metadata__"'):
        return None
    text = json.loads(data[8 : 8 + length])["__metadata__"][KEY].partition(" ")[2]
    tensors = load(data)
    name = [*tensors][rng.integers(len(tensors))]
    if rng.random() < 0.6:
        changed = (
            _mutate_json(text, rng) if rng.random() < 0.8 else _insert(text.encode(), None, rng)
        )
        text = changed.decode(errors="replace")
    else:
        tensors[name] = _change_array(tensors[name], rng)
    if rng.random() < 0.1:
        del tensors[name]
    if rng.random() < 0.1:
        tensors[("../x", "array_000", "array_1000")[rng.integers(3)]] = np.zeros(2, np.float32)
    tensors = {key: np.asarray(array, order="C") for key, array in tensors.items()}
    data = save(tensors, {KEY: f"{seal_of(text, tensors)} {text}"})
    if rng.random() < 0.1:
        data = data.replace(b'"shape":[', b'"shape":[1000000000,', 1)
    if rng.random() < 0.1:
        data = _flip(data[:128], None, rng) + data[128:]
    return data


def _change_array(array, rng):
    kind = rng.integers(4)
    if kind == 0:
        return array * np.float32("nan")
    if kind == 1:
        return array.astype(("f8", "i4", "f2", "c8", "?", "u1")[rng.integers(6)])
    if kind == 2:
        return np.resize(array, rng.integers(0, 9, rng.integers(0, 4)))
    return array.T + array.dtype.type(1)


# Targets: each gives real files and a function that reads bytes


def midi(folder):
    """MIDI files of the set `tiny`, one of our own, and the same in odd wrappings.

    What is read must go on: to tokens, and to bytes that hold the same notes.
    """
    import mido

    from musiclab import datasets
    from musiclab.encoding import get_encoding
    from musiclab.midi import read_midi, song_to_midi
    from musiclab.music import NoteEvent, Song

    own = song_to_midi(
        Song(
            (NoteEvent(0, 1, (60, 64)), NoteEvent(1, 2, (62,), 90, 1), NoteEvent(2.5, 1, (60,))),
            programs=(0, 40),
            tempo_bpm=90.0,
            bars=((0.0, 3, 4), (3.0, 6, 8)),
            tempos=((1.0, 60.0), (2.0, 132.0)),
            keys=((0.0, 2, "major"), (3.0, -3, "minor")),
            drums=(NoteEvent(0, 0.25, (36,)), NoteEvent(1, 0.25, (38, 42))),
        )
    )
    tiny = datasets.build_dataset("tiny", folder)
    originals = [*(path.read_bytes() for path in sorted(tiny.glob("*.mid"))), own]

    tracks = mido.MidiFile(file=io.BytesIO(own)).tracks
    one_track = io.BytesIO()
    mido.MidiFile(type=0, tracks=[mido.merge_tracks(tracks)]).save(file=one_track)
    length = len(own).to_bytes(4, "little")
    in_riff = b"RIFF" + (len(own) + 12).to_bytes(4, "little") + b"RMIDdata" + length + own
    long_header = own[:4] + (8).to_bytes(4, "big") + own[8:14] + b"\0\0" + own[14:]
    originals += [one_track.getvalue(), in_riff, long_header]

    def read(data):
        song, _ = read_midi(data)
        try:
            get_encoding("events").encode(song)
            again, _ = read_midi(song_to_midi(song))
        except MusiclabError as error:
            raise AssertionError("what was read does not go on") from error
        assert (again.events, again.drums) == (song.events, song.drums)

    return originals, read


def _bundles(folder):
    """Return small bundles, and their windows, trained for an epoch in a folder each."""
    from musiclab.encoding import Vocabulary, make_windows
    from musiclab.models import compile_model
    from musiclab.training import new_bundle, train

    small = {"inputs": "embedding", "embedding_dim": 2, "every_step": True}
    families = (
        {"cell": "gru", "units": (3, 2)},
        {"cell": "transformer", "units": (4, 4), "n_heads": 2, "max_distance": 3},
        {"cell": "lstm", "units": (3,), "noise": "vae"},
    )
    vocabulary = Vocabulary(("<unk>", "C4", "D4", "0.4.7"))
    windows = make_windows([np.arange(20) % 4], 4, every_step=True)
    for k, family in enumerate(families):
        bundle = new_bundle(vocabulary, "tutorial", 4, windows, 1, **small | family)
        compile_model(bundle.model)
        train(bundle, windows, windows, epochs=1, folder=folder / str(k))
        yield bundle, windows


def bundle(folder):
    """`model.safetensors` of three families of networks."""
    from musiclab.training import BUNDLE, load_bundle

    originals = [(folder / str(k) / BUNDLE).read_bytes() for k, _ in enumerate(_bundles(folder))]

    def read(data):
        (folder / BUNDLE).write_bytes(data)
        load_bundle(folder / BUNDLE)

    return originals, read


def checkpoint(folder):
    """`checkpoint.safetensors` of a training that is gone on with; nothing is left to train."""
    from musiclab.training import CHECKPOINT, train

    one, windows = next(_bundles(folder))
    rate = float(one.model.optimizer.learning_rate)
    originals = [(folder / "0" / CHECKPOINT).read_bytes()]

    def read(data):
        (folder / "0" / CHECKPOINT).write_bytes(data)
        one.model.optimizer.learning_rate = rate  # as it was, whatever the last try made of it
        train(one, windows, windows, epochs=1, folder=folder / "0", load_previous=True)

    return originals, read


def chorale_model(folder):
    """The file of a model of chorales."""
    from musiclab.chorales import ChoraleModel, Settings

    chorales = [np.tile([72, 67, 60, 48], (8, 1)), np.tile([70, 65, 60, 50], (6, 1))]
    path = ChoraleModel(chorales, Settings(units=2, width=3, layers=1)).save(
        folder / "model.safetensors"
    )

    def read(data):
        path.write_bytes(data)
        ChoraleModel.load(path)

    return [path.read_bytes()], read


def manifest(folder):
    """The list of the sets' files."""
    from musiclab.datasets import corpus

    lines = corpus.MANIFEST.read_bytes().splitlines(keepends=True)
    corpus.MANIFEST = folder / "manifest.csv"

    def read(data):
        corpus.MANIFEST.write_bytes(data)
        corpus.read_manifest()

    return [b"".join(lines[:50]), lines[0] + b"".join(lines[-50:])], read


def preset(folder):
    """Parameters for a lesson, as `musiclab run` reads and shows them."""
    from musiclab import course
    from musiclab.course import parameters

    defaults = course.read_parameters(course.find_notebook("01"))
    originals = [path.read_bytes() for path in sorted(parameters.PRESETS.glob("*.yaml"))]
    bomb = b"a: &a [x, x]\n" + b"".join(b"b: [*a, *a]\n" for _ in range(9))
    deep = b"EPOCHS: 3\r\nTEMPERATURE: 0.5\r\nLOAD_PREVIOUS: yes\r\n"

    def read(data):
        (folder / "p.yaml").write_bytes(data)
        values = course.read_preset(str(folder / "p.yaml"))
        ", ".join(f"{name} = {value}" for name, value in values.items())
        course.merge_parameters(defaults, values)

    return [*originals, bomb, deep, b"\xef\xbb\xbf" + deep], read


def notebook(folder):
    """The beginning of the first lesson, of which the parameters are read."""
    from musiclab import course

    whole = json.loads(course.find_notebook("01").read_bytes())
    whole["cells"] = whole["cells"][:12]
    for cell in whole["cells"]:
        cell.pop("attachments", None)
        if "outputs" in cell:
            cell["outputs"] = []

    def read(data):
        (folder / "n.ipynb").write_bytes(data)
        course.read_parameters(folder / "n.ipynb")

    return [json.dumps(whole, indent=1).encode(), json.dumps(whole).encode()], read


def chorale_csv(folder):
    """A chorale of `musiclab bench jsb`, up to the features that a network sees."""
    from musiclab.chorales import Settings, read_chorales
    from musiclab.chorales.corpus import Corpus

    heading, rows = "note0,note1,note2,note3", ["72,67,60,48", "72,67,60,48", "71,67,62,55"] * 4
    originals = [end.join([heading, *rows, ""]).encode() for end in ("\n", "\r\n")]

    def read(data):
        (folder / "a.csv").write_bytes(data)
        chorales = read_chorales(folder)
        if sum(map(len, chorales)) < 1000:
            Corpus(chorales, Settings()).own_features()

    return [*originals, b"\xef\xbb\xbf" + originals[0]], read


TARGETS = {
    f.__name__: f
    for f in (
        *(midi, bundle, checkpoint, chorale_model),
        *(manifest, preset, notebook, chorale_csv),
    )
}


# One process tries, another watches


def work(name, seed, start, output):
    """Try mutations from `start` on for ever, and say what became of each on stdout.

    The file of a try lies in `output` while it is tried, and stays there
    if it is a finding, or the end of this process.
    """
    os.environ["MUSICLAB_PROGRESS"] = "off"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    output.mkdir(parents=True, exist_ok=True)
    # No processes of joblib's, which would outlive the killing of this one.
    with TemporaryDirectory() as root, joblib.parallel_config(backend="sequential"):
        originals, read = TARGETS[name](Path(root))
        for data in originals:
            _outcome(read, data, must_do=name != "preset")
        say(k=start - 1)
        for k in range(start, sys.maxsize):
            if k % 100 == 99 and "keras" in sys.modules:
                sys.modules["keras"].utils.clear_session()
            data = mutate(originals, np.random.default_rng([seed, [*TARGETS].index(name), k]))
            _finding(output, name, seed, k).write_bytes(data)
            begin = time.process_time()
            outcome, details = _outcome(read, data)
            seconds = time.process_time() - begin
            if outcome in FINE and seconds > SLOW_S:
                outcome, details = "lento", f"{seconds:.1f} s of CPU: {details}"
            if outcome in FINE:
                _finding(output, name, seed, k).unlink()
            say(k=k, outcome=outcome, details=details, seconds=seconds, mb=_peak_mb())


def _finding(output, name, seed, k):
    return output / f"{name}-{seed}-{k}.bin"


def say(**what):
    print(json.dumps(what), flush=True)


def _outcome(read, data, must_do=False):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(data)
        return "leído", ""
    except MusiclabError as error:
        if must_do:
            raise
        if not str(error) or len(str(error)) > LONGEST:
            return "otro error", f"a message of {len(str(error))} characters"
        return "rechazado", str(error)
    except Exception as error:
        if must_do:
            raise
        return "otro error", f"{type(error).__name__}\n{traceback.format_exc()}"


def _peak_mb():
    try:
        import resource
    except ImportError:  # Batches
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def watch(name, seed, seconds, output):
    """Have a target tried for so long; return (Counter of outcomes, slowest try, peak memory)."""
    counts, slowest, peak, k, end = Counter(), 0.0, 0.0, 0, None
    while end is None or time.monotonic() < end:
        process, lines = _start(name, seed, k, output)
        while end is None or time.monotonic() < end:
            try:
                line = lines.get(timeout=HANG_S if end else 10 * HANG_S)
            except queue.Empty:
                line = None
            if line is None and end is None:
                raise SystemExit(f"{name} does not even read its own files")
            if line is None:
                told = {"k": k, "outcome": "muerto" if process.poll() is not None else "colgado"}
                told["details"] = f"exit status {process.poll()}"
            else:
                told = json.loads(line)
            if "outcome" not in told:
                end = end or time.monotonic() + seconds  # starting is not trying
                continue
            counts[told["outcome"]] += 1
            if told["outcome"] not in FINE:
                path = _finding(output, name, seed, k).with_suffix(".txt")
                path.write_text(f"{name}, seed {seed}, try {k}\n{told['details']}", "utf-8")
            slowest, peak = max(slowest, told.get("seconds", 0)), max(peak, told.get("mb", 0))
            k = told["k"] + 1
            if line is None:
                break
        process.kill()
        process.wait()
    _finding(output, name, seed, k).unlink(missing_ok=True)  # the time was over, not its reader
    counts["mucha memoria"] += peak > MAX_MB
    return counts, slowest, peak


def _start(name, seed, k, output):
    """Start a process that tries from k on; return it and a queue of its lines, None at its end."""
    command = [sys.executable, str(Path(__file__).resolve()), "--work", name]
    command += ["--seed", str(seed), "--start", str(k), "--output", str(output)]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8", env=environment
    )
    lines = queue.Queue()

    def pump():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    return process, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="in all, after the start of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=[*TARGETS])
    parser.add_argument("--output", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--work", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.seed, options.start, options.output)
    columns = (*FINE, "otro error", "lento", "colgado", "muerto", "mucha memoria")
    print(f"{'qué':<14} {'intentos':>9}", *(f"{c:>13}" for c in columns), "peor s   MB")
    findings = 0
    for name in options.targets:
        seconds = 60 * options.minutes / len(options.targets)
        counts, slowest, peak = watch(name, options.seed, seconds, options.output)
        cells = " ".join(f"{counts[column]:>13}" for column in columns)
        tried = counts.total() - counts["mucha memoria"]
        print(f"{name:<14} {tried:>9} {cells} {slowest:6.1f} {peak:5.0f}", flush=True)
        findings += sum(counts[column] for column in columns[2:])
    print(f"{findings} hallazgos{f', en «{options.output}»' if findings else ''}")
    raise SystemExit(bool(findings))


if __name__ == "__main__":
    main()
