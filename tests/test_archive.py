"""Archives of any bytes: what was written comes back, or one sentence."""

import inspect
import json
import os
import time
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save

from musiclab.errors import BundleError, OutputError
from musiclab.training.archive import KEY, MAX_HEADER, read_archive, seal_of, write_archive

TEXT = json.dumps({"format": "f"})


@pytest.fixture
def pack(tmp_path):
    """Return a function that writes tensors and a text with its right seal, whatever they are."""

    def pack(tensors, text=TEXT, **metadata):
        metadata = {KEY: f"{seal_of(text, tensors)} {text}"} | metadata
        (tmp_path / "a.safetensors").write_bytes(save(tensors, metadata))
        return tmp_path / "a.safetensors"

    return pack


@pytest.fixture
def write_header(tmp_path):
    """Return a function that writes a file whose header says anything."""

    def write(header, data=b"", text=TEXT, says=None):
        if isinstance(header, dict):
            header = json.dumps({"__metadata__": {KEY: f"{'0' * 64} {text}"}} | header).encode()
        length = len(header) if says is None else says
        path = tmp_path / "a.safetensors"
        path.write_bytes(length.to_bytes(8, "little") + header + data)
        return path

    return write


def refused(path):
    """Assert that a file is refused, quickly and without memory to speak of."""
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(BundleError, match="está dañado o no es un modelo") as caught:
        read_archive(path, "f")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 2 and peak < 50e6
    assert "\n" not in str(caught.value) and caught.value.data == {"path": str(path)}


def test_an_archive_survives_its_file_whatever_its_path(tmp_path):
    arrays = [np.arange(6.0).reshape(2, 3), np.float32(2), np.array([], dtype=np.int64)]
    arrays += [np.asfortranarray(np.arange(6).reshape(2, 3)), np.zeros((0, 3), np.float32)]
    arrays += [np.arange(8)[::2], np.array([True, False]), *map(np.array, range(1100))]
    path = write_archive(tmp_path / "ñ {x} 🎵" / "a b.safetensors", "f", {"é": [1.5]}, arrays)
    meta, again = read_archive(path, "f")
    assert meta == {"format": "f", "é": [1.5]}
    for a, b in zip(arrays, again, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_numbers_of_another_byte_order_are_read_as_ours(tmp_path):
    path = write_archive(tmp_path / "a.safetensors", "f", {}, [np.arange(3, dtype=">f4")])
    (array,) = read_archive(path, "f")[1]
    assert array.dtype == np.dtype("<f4") and array.tolist() == [0, 1, 2]


def test_any_program_opens_an_archive(tmp_path):
    from safetensors import safe_open

    path = write_archive(tmp_path / "a.safetensors", "f", {"seed": 3}, [np.arange(3.0)])
    with safe_open(path, framework="np") as file:
        assert file.get_tensor("array_000").tolist() == [0, 1, 2]
        assert json.loads(file.metadata()[KEY].partition(" ")[2]) == {"format": "f", "seed": 3}


def write_some(path):
    import numpy as np

    from musiclab.training.archive import write_archive

    meta = {"z": 1, "a": {"y": 0.1, "b": None}}
    arrays = [np.arange(4.0), np.zeros((2, 3), np.float32), np.array(1)]
    return write_archive(path, "f", meta, arrays).read_bytes()


def test_another_process_writes_the_same_bytes(in_fresh_process, tmp_path):
    """safetensors has no order for the keys of its metadata: with one key there is none to have."""
    path = tmp_path / "a.safetensors"
    in_fresh_process(f"{inspect.getsource(write_some)}\nwrite_some({str(path)!r})")()
    assert path.read_bytes() == write_some(tmp_path / "b.safetensors")


# Damage


@pytest.fixture
def small(tmp_path):
    """A file of two arrays, and what is in it."""
    arrays = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array([7, 8], np.int64)]
    path = write_archive(tmp_path / "a.safetensors", "f", {"tokens": ["<unk>", "ñ"]}, arrays)
    return path, path.read_bytes()


def damages(data, rng):
    """Yield damaged forms of a file's bytes, each unlike it."""
    for _ in range(300):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
        yield bytes(flipped)
    for _ in range(50):
        start = rng.integers(len(data))
        yield data[:start]  # cut
        yield data[:start] + data[start + 1 :]  # a byte lost
        yield data[:start] + bytes([rng.integers(256)]) + data[start:]  # a byte too many
        end = min(start + int(rng.integers(1, 40)), len(data))
        zeros = data[:start] + bytes(end - start) + data[end:]
        if zeros != data:
            yield zeros


def test_damage_is_found_wherever_it_is(small):
    path, data = small
    count = 0
    for damaged in damages(data, np.random.default_rng(0)):
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match="está dañado") as caught:
            read_archive(path, "f")
        assert "\n" not in str(caught.value)
        count += 1
    assert count >= 400
    path.write_bytes(data)
    assert read_archive(path, "f")[0]["tokens"] == ["<unk>", "ñ"]


def test_every_cut_and_every_changed_byte_is_found(small):
    path, data = small
    cuts = [data[:length] for length in range(len(data))]
    flips = [
        data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        for place in range(len(data))
    ]
    for damaged in cuts + flips:
        path.write_bytes(damaged)
        with pytest.raises(BundleError):
            read_archive(path, "f")


def test_weights_that_changed_places_are_found(tmp_path):
    """The same tensors, types and text, but one's numbers in the other: only the seal knows."""
    one, other = np.arange(4.0), np.arange(4.0) + 9
    path = write_archive(tmp_path / "a.safetensors", "f", {}, [one, other])
    data = path.read_bytes()
    path.write_bytes(data[:-64] + data[-32:] + data[-64:-32])
    refused(path)


# Files made with intent: their seal is right, or they do not come to it


FLOATS = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "tensor",
    [
        FLOATS | {"shape": [10**12]},
        FLOATS | {"shape": [2**32, 2**32]},
        FLOATS | {"shape": [-2, -1]},
        FLOATS | {"shape": [3]},
        FLOATS | {"shape": None},
        FLOATS | {"data_offsets": [0, 10**12]},
        FLOATS | {"data_offsets": [8, 0]},
        FLOATS | {"data_offsets": [4, 12]},
        FLOATS | {"dtype": "O"},
        FLOATS | {"dtype": "BF16", "shape": [4]},
        FLOATS | {"dtype": "F8_E5M2", "shape": [8]},
        {},
        [],
    ],
    ids=str,
)
def test_array_that_claims_what_it_has_not_is_refused(write_header, tensor):
    refused(write_header({"array_000": tensor}, bytes(8)))


def test_arrays_that_lie_within_one_another_are_refused(write_header):
    refused(write_header({f"array_{k:03d}": FLOATS for k in range(1000)}, bytes(8)))


def test_header_that_claims_another_length_is_refused(write_header):
    for length in (0, 1, 10**6, MAX_HEADER, MAX_HEADER + 1, 10**8, 2**63, 2**64 - 1):
        refused(write_header({"array_000": FLOATS}, bytes(8), says=length))


def test_half_a_million_arrays_are_refused_unread(write_header):
    empty = FLOATS | {"shape": [0], "data_offsets": [0, 0]}
    path = write_header({f"array_{k:03d}": empty for k in range(500_000)})
    refused(path)
    assert path.stat().st_size > MAX_HEADER


def test_as_many_arrays_as_a_header_holds_are_no_burden(write_header):
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    refused(write_header({str(k): empty for k in range(70_000)}))


@pytest.mark.parametrize(
    "names",
    [["array_001"], ["../array_000"], ["/array_000"], ["array_000", "más"], ["array_0"], [""]],
    ids=str,
)
def test_arrays_of_other_names_are_refused(pack, names, tmp_path):
    refused(pack({name: np.zeros(2) for name in names}))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_archive_without_its_text_or_seal_is_refused(pack, tmp_path):
    path, tensors = tmp_path / "a.safetensors", {"array_000": np.zeros(2)}
    good = seal_of(TEXT, tensors)
    for metadata in (None, {}, {"other": TEXT}, {KEY: ""}, {KEY: TEXT}, {KEY: f" {TEXT}"},
                     {KEY: good}, {KEY: f"{good.upper()} {TEXT}"}):  # fmt: skip
        path.write_bytes(save(tensors, metadata))
        refused(path)
    assert read_archive(pack(tensors, more="text"), "f")[0] == {"format": "f"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", '"f"', "{", '{"format": ["f"]}', "ñ", '{"format": "g"}'),
        "[" * 10**6,
        '{"format": "f", "x": ' + '{"a":' * 10**5 + "1" + "}" * 10**5 + "}",
        '{"format": "f", "x": ' + "9" * 10**5 + "}",
        '{"format": "f", "x": [' + "[]," * 2**21 + "[]]}",
    ],
    ids=range(12),
)
def test_text_that_is_no_description_is_refused(pack, text):
    refused(pack({"array_000": np.zeros(2)}, text))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is allowed")
def test_file_that_may_not_be_read_says_so(pack):
    path = pack({})
    path.chmod(0)
    with pytest.raises(BundleError, match="permisos"):
        read_archive(path, "f")


# The old form


def test_a_file_of_the_old_form_is_refused_with_what_to_do(tmp_path):
    """By its path, by its bytes under another name, or because it stands where ours should."""
    old, new = tmp_path / "model.npz", tmp_path / "model.safetensors"
    np.savez(old, meta=np.frombuffer(b'{"format": "musiclab-bundle-1"}', np.uint8))
    with pytest.raises(BundleError, match=r"model\.npz» es de una versión anterior.*de nuevo"):
        read_archive(old, "f")
    with pytest.raises(BundleError, match=r"model\.npz» es de una versión anterior.*de nuevo"):
        read_archive(new, "f")
    new.write_bytes(old.read_bytes())
    with pytest.raises(BundleError, match=r"model\.safetensors» es de una versión anterior"):
        read_archive(new, "f")
    write_archive(new, "f", {}, [])
    assert read_archive(new, "f") == ({"format": "f"}, [])


# The disk


@pytest.mark.skipif(os.name == "nt", reason="no limits there")
def test_disk_that_is_really_full_leaves_the_old_file(tmp_path):
    import resource

    path = write_archive(tmp_path / "a.safetensors", "f", {}, [np.zeros(10)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"no se puede escribir .* espacio en disco"):
            write_archive(path, "f", {}, [np.zeros(10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_archive(tmp_path / "a.safetensors", "f")[1][0].tolist() == [0.0] * 10
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
