"""Archives of any bytes, and a folder for one writer."""

import io
import json
import os
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from musiclab.errors import BundleError, OutputError
from musiclab.training.archive import LOCK, read_archive, sole_writer, write_archive

META = {"meta.npy": np.frombuffer(json.dumps({"format": "f"}).encode(), np.uint8)}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def claims(shape, dtype="<f4", data=b""):
    """Return a .npy file whose header says more than there is."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


@pytest.fixture
def pack(tmp_path):
    """Return a function that writes members, (name, array or bytes), into a zip file."""

    def pack(*members, kind=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", kind) as archive:
            for name, content in members:
                archive.writestr(name, content if isinstance(content, bytes) else npy(content))
        return tmp_path / "a.npz"

    return pack


def refused(path):
    """Assert that a file is refused, quickly and without memory to speak of."""
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(BundleError, match="está dañado o no es un modelo") as caught:
        read_archive(path, "f")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 2 and peak < 50e6
    assert "\n" not in str(caught.value)


def test_an_archive_survives_its_file_whatever_its_path(tmp_path):
    arrays = [np.arange(6.0).reshape(2, 3), np.float32(2), np.array([], dtype=np.int64)]
    arrays += [np.asfortranarray(np.arange(6).reshape(2, 3)), *map(np.array, range(1100))]
    path = write_archive(tmp_path / "ñ {x} 🎵" / "a b.npz", "f", {"é": [1.5]}, arrays)
    meta, again = read_archive(path, "f")
    assert meta == {"format": "f", "é": [1.5]}
    for a, b in zip(arrays, again, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def test_what_numpy_itself_writes_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", meta=META["meta.npy"], array_000=np.arange(3))
    assert read_archive(tmp_path / "a.npz", "f")[1][0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "member",
    [
        claims((10**12,)),
        claims((10**6, 10**6), data=bytes(400)),
        claims((2,), data=bytes(4)),
        claims((2,), data=bytes(12)),
        claims((-2, -1), data=bytes(8)),
        claims((), "|O", bytes(8)),
        claims((2,), "<U1", bytes(8)),
        claims((1,), [("a", "<f4")], bytes(4)),
        b"\x93NUMPY\x02\0" + bytes(100),
        b"\x93NUMPY\x01\0\xff\xff" + b"(" * 65535,
        b"",
    ],
    ids=range(11),
)
def test_array_that_claims_what_it_has_not_is_refused(pack, member):
    refused(pack(*META.items(), ("array_000.npy", member)))


@pytest.mark.parametrize(
    "names",
    [
        ["array_000.npy", "array_000.npy"],
        ["array_001.npy"],
        ["../array_000.npy"],
        ["/array_000.npy"],
        ["array_000.npy", "más.npy"],
        ["array_000"],
        ["meta.npy"],
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_other_names_are_refused(pack, names, tmp_path):
    refused(pack(*META.items(), *((name, np.zeros(2)) for name in names)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_archive_without_its_text_is_refused(pack):
    refused(pack())
    refused(pack(("array_000.npy", np.zeros(2))))


def test_zip_bomb_is_not_unpacked(pack):
    zeros = np.zeros(10**8, np.uint8)
    path = pack(*META.items(), ("array_000.npy", zeros), kind=zipfile.ZIP_DEFLATED)
    refused(path)
    data = path.read_bytes()
    size = len(npy(zeros)).to_bytes(4, "little")
    path.write_bytes(data.replace(size, b"\1\0\0\0"))  # and one that claims to be a single byte
    refused(path)


def test_members_that_lie_within_one_another_are_refused(pack):
    path = pack(("array_001.npy", np.zeros(10**5)))
    with zipfile.ZipFile(path) as archive:
        inner = archive.infolist()[0]
    entry = np.frombuffer(path.read_bytes()[: archive.start_dir], np.uint8)
    path = pack(*META.items(), ("array_000.npy", entry))
    with zipfile.ZipFile(path, "a") as archive:
        inner.header_offset = archive.start_dir - len(entry)
        archive.filelist.append(inner)
        archive._didModify = True
    with zipfile.ZipFile(path) as archive:
        assert len(archive.read("array_001.npy")) > 8 * 10**5  # a sound member, but twice there
    refused(path)


def test_half_a_million_members_are_refused_unread(tmp_path):
    file, name = tmp_path / "a.npz", b"array_000.npy"
    member = b"PK\1\2" + bytes(24) + len(name).to_bytes(2, "little") + bytes(16) + name
    directory = member * 500_000
    end = b"PK\5\6" + bytes(4) + b"\xff\xff" * 2
    end += len(directory).to_bytes(4, "little") + bytes(4) + bytes(2)
    for locator in (b"", b"PK\6\7" + bytes(16)):
        file.write_bytes(directory + locator + end)
        refused(file)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"null", b'"f"', b"{", b'{"format": ["f"]}', b"\xff\xfe", b'{"format": "g"}'),
        b"[" * 10**6,
        b'{"format": "f", "x": ' + b'{"a":' * 10**5 + b"1" + b"}" * 10**5 + b"}",
        b'{"format": "f", "x": ' + b"9" * 10**5 + b"}",
        b'{"format": "f", "x": [' + b"[]," * 2**21 + b"[]]}",
    ],
    ids=range(12),
)
def test_text_that_is_no_description_is_refused(pack, text):
    refused(pack(("meta.npy", np.frombuffer(text, np.uint8)), ("array_000.npy", np.zeros(2))))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is allowed")
def test_file_that_may_not_be_read_says_so(pack):
    path = pack(*META.items())
    path.chmod(0)
    with pytest.raises(BundleError, match="permisos"):
        read_archive(path, "f")


# The disk


@pytest.mark.skipif(os.name == "nt", reason="no limits there")
def test_disk_that_is_really_full_leaves_the_old_file(tmp_path, in_fresh_process):
    source = f"""
import resource
import numpy as np
from musiclab.errors import OutputError
from musiclab.training.archive import write_archive
path = {str(tmp_path / "a.npz")!r}
write_archive(path, "f", {{}}, [np.zeros(10)])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_archive(path, "f", {{}}, [np.zeros(10_000)])
except OutputError as error:
    print(error)"""
    out, _ = in_fresh_process(source)()
    assert "no se puede escribir" in out and "espacio en disco" in out
    assert read_archive(tmp_path / "a.npz", "f")[1][0].tolist() == [0.0] * 10
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


# One writer

HOLD = """
import sys, time
from musiclab.training.archive import sole_writer
with sole_writer(sys.argv[1], []):
    print("dentro", flush=True)
    time.sleep(60)"""


def test_folder_is_for_one_process_until_it_dies(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "ñ {x}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "dentro\n"
        with pytest.raises(OutputError, match=r"otro entrenamiento.*elige otra OUTPUT_DIR"):
            sole_writer(tmp_path / "ñ {x}", []).__enter__()
        process.kill()
    assert (tmp_path / "ñ {x}" / LOCK).exists()  # a killed one leaves its file: it says nothing
    with sole_writer(tmp_path / "ñ {x}", []):
        pass
    assert list((tmp_path / "ñ {x}").iterdir()) == []


def test_an_error_gives_the_folder_back(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), sole_writer(tmp_path, []):
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_deleted_and_nothing_else(tmp_path):
    others = [".model.npz.tmp", "model.npz.tmp-3", ".song.mid.tmp-3", "model.npz"]
    for name in (".model.npz.tmp-123", ".model.npz.tmp-4", *others):
        (tmp_path / name).touch()
    with sole_writer(tmp_path, ["model.npz"]):
        assert {path.name for path in tmp_path.iterdir()} == {*others, LOCK}


def test_where_nothing_can_be_locked_training_goes_on(tmp_path, monkeypatch):
    def no_locks(file):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("musiclab.training.archive._lock", no_locks)
    with sole_writer(tmp_path, []), sole_writer(tmp_path, []):
        pass


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="no se puede escribir"):
        sole_writer(tmp_path / "file", []).__enter__()
