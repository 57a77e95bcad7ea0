"""A folder for one writer, however the writer before it ended."""

import os
import subprocess
import sys

import pytest

from musiclab.errors import OutputError
from musiclab.files import LOCK, NO_LOCKS, sole_writer

HOLD = """
import sys, time
from musiclab.files import sole_writer
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
    others = [
        ".model.safetensors.tmp",
        "model.safetensors.tmp-3",
        ".song.mid.tmp-3",
        "model.safetensors",
    ]
    for name in (".model.safetensors.tmp-123", ".model.safetensors.tmp-4", *others):
        (tmp_path / name).touch()
    with sole_writer(tmp_path, ["model.safetensors"]):
        assert {path.name for path in tmp_path.iterdir()} == {*others, LOCK}


def test_a_folder_is_for_one_writer_of_a_process_too(tmp_path):
    with sole_writer(tmp_path, []):
        with pytest.raises(OutputError, match="otro entrenamiento"), sole_writer(tmp_path, []):
            pass
        with sole_writer(tmp_path / "otra", []):
            pass
        with pytest.raises(OutputError, match="otro entrenamiento"), sole_writer(tmp_path, []):
            pass  # still: who was refused has taken nothing away


def test_who_opened_the_lock_before_it_was_deleted_does_not_share_it(tmp_path):
    """The second has the file open while the first deletes it; then a third may come."""
    with sole_writer(tmp_path, []):
        opened = os.open(tmp_path / LOCK, os.O_RDWR)
    with sole_writer(tmp_path, []):
        assert os.fstat(opened).st_nlink == 0 or os.name == "nt"
        with pytest.raises(OutputError), sole_writer(tmp_path, []):
            pass
    os.close(opened)


@pytest.mark.parametrize("number", NO_LOCKS)
@pytest.mark.filterwarnings("error")
def test_where_nothing_can_be_locked_training_goes_on(tmp_path, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, os.strerror(number))

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with sole_writer(tmp_path, []), sole_writer(tmp_path, []):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="no se puede escribir") as caught:
        sole_writer(tmp_path / "file", []).__enter__()
    assert caught.value.data == {"path": str(tmp_path / "file")}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is allowed")
def test_folder_that_may_not_be_written_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no hay permiso"):
        sole_writer(tmp_path, []).__enter__()
    tmp_path.chmod(0o700)
