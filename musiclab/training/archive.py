"""Files that outlive a crash, and files that are read without trust.

An archive is a NumPy .npz without pickles and without compression: numbers,
and a JSON text that says what they mean. Reading one runs no code and takes
no more memory than the file is long, plus what its JSON text needs; whatever
the bytes are, the answer is the archive or one BundleError.
"""

import io
import json
import os
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from musiclab.errors import BundleError, OutputError
from musiclab.files import write_bytes

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt
MAX_DIRECTORY = 2**20  # bytes of an archive's list of members: some ten thousand
MAX_META = 2**22  # bytes of its JSON text: lists of lists take twenty times as many
LOCK = ".entrenando"


# Archives


def write_archive(path, form, meta, arrays):
    """Write what JSON can hold and numpy arrays into one file, whole or not at all.

    form: the name of the file's format, which `read_archive` asks for
    """
    file = io.BytesIO()
    text = np.frombuffer(json.dumps({"format": form, **meta}).encode(), dtype=np.uint8)
    np.savez(file, meta=text, **{_name(k): np.asarray(a) for k, a in enumerate(arrays)})
    return write_bytes(path, file.getvalue())


def read_archive(path, form):
    """Return the (meta, arrays) of a file that `write_archive` wrote.

    Raises BundleError when it is missing, unreadable, damaged or of another format.
    """
    if not Path(path).is_file():
        raise BundleError(f"no existe el modelo «{path}»: entrena uno primero")
    try:
        with open(path, "rb") as file:
            meta, arrays = _read(file)
        if meta["format"] != form:
            raise ValueError(meta["format"])
    except PermissionError as error:
        raise BundleError(f"no se puede leer «{path}»: comprueba sus permisos") from error
    except Exception as error:  # zipfile, numpy and json fail in a dozen ways on damaged bytes
        raise BundleError(damaged(path)) from error
    return meta, arrays


def check_arrays(arrays, expected):
    """Raise ValueError unless arrays have the shapes and types of those that are expected."""
    if [(a.shape, a.dtype) for a in arrays] != [(a.shape, a.dtype) for a in expected]:
        raise ValueError("arrays of other shapes or types")


def damaged(path):
    """Return the sentence about a file that does not hold what it should."""
    return f"«{path}» está dañado o no es un modelo de musiclab: bórralo y entrena de nuevo"


def _name(k):
    return f"array_{k:03d}"


def _read(file):
    if _directory_size(file) > MAX_DIRECTORY:
        raise ValueError("too many members")
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        names = ["meta.npy", *(f"{_name(k)}.npy" for k in range(len(members) - 1))]
        if set(members) != set(names) or len(members) != len(archive.infolist()):
            raise ValueError(f"members {sorted(members)[:5]}")
        sizes = [member.file_size for member in members.values()]
        # Stored members that do not overlap are no longer than the file: it is no zip bomb.
        if sizes != [m.compress_size for m in members.values() if not m.compress_type]:
            raise ValueError("compressed")
        if sum(sizes) > file.seek(0, os.SEEK_END) or members["meta.npy"].file_size > MAX_META:
            raise ValueError("too large")
        text, *arrays = (_array(archive.read(members[name])) for name in names)
    return json.loads(text.tobytes()), arrays


def _directory_size(file):
    """Return the bytes of a zip's list of members, which zipfile reads before we can look."""
    file.seek(-42, os.SEEK_END)
    locator, end = file.read(20), file.read()
    if locator.startswith(b"PK\6\7") or not end.startswith(b"PK\5\6"):
        raise ValueError("no plain zip file of at most 4 GiB")
    return int.from_bytes(end[12:16], "little")


def _array(data):
    """Return the array of a .npy file's bytes, whose header may claim any size, without a copy."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "biuf":
        raise ValueError(f"dtype {dtype}")
    values = np.frombuffer(data, dtype, offset=file.tell())
    return values.reshape(shape, order="F" if by_columns else "C")


# Folders


@contextmanager
def sole_writer(folder, names):
    """Keep a folder for this process's training: a second one is refused meanwhile.

    names: the files that are written there; what a killed writer left of
        them half written is deleted

    The lock is the operating system's, on a file that is open: it ends with
    the process, however that ends. Where the file system knows no locks, as
    on some network drives, nothing is refused.

    Raises OutputError when another training has the folder, or nothing can
    be written there.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _open_locked(folder / LOCK)
    except OSError as error:
        raise OutputError(
            f"no se puede escribir en «{folder}» ({error.strerror}): elige otra carpeta, o "
            "comprueba sus permisos y el espacio en disco"
        ) from error
    if file is None:
        raise OutputError(
            f"otro entrenamiento está escribiendo en «{folder}», quizá en otro cuaderno abierto: "
            "espera a que acabe o detén su núcleo, o elige otra OUTPUT_DIR"
        )
    try:
        for name in names:
            for leftover in folder.glob(f".{name}.tmp-*"):
                with suppress(OSError):
                    leftover.unlink()
        yield
    finally:
        _close_locked(file, folder / LOCK)


def _open_locked(path):
    """Return the open file with a lock on it, or None when another has one."""
    for _ in range(10):
        file = open(path, "ab")  # noqa: SIM115 (closing it gives up the lock)
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            file.close()
            return None
        except OSError:
            return file  # no locks here: better unguarded than no training
        with suppress(FileNotFoundError):
            if os.name == "nt" or os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # the other deleted it between our opening and locking it
    return None


def _lock(file):
    if os.name == "nt":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _close_locked(file, path):
    """Delete the file and give up its lock, in the order that the system allows."""
    with suppress(OSError):
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
            file.close()
        path.unlink()
    file.close()
