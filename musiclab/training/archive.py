"""Weights and what they mean in one file, which is read without trust.

An archive is a safetensors file: numbered tensors, and in the metadata one
line, a SHA-256 of all that counts and then a JSON text. Reading one runs no
code, and allocates no more than the file is long; whatever its bytes are,
the answer is what was written or one BundleError.

The seal finds what was damaged, not who wrote it: anyone can compute one, so
that those who read a JSON text believe none of it unchecked.
"""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from musiclab.errors import BundleError
from musiclab.files import write_bytes

# One key alone: safetensors writes several in an order that changes with the process.
KEY = "musiclab"
MAX_HEADER = 2**22  # bytes of names, shapes and JSON: lists of lists take twenty times as many
OLD, OLD_START = ".npz", b"PK"


def write_archive(path, form, meta, arrays):
    """Write what JSON can hold and numpy arrays into one file, whole or not at all.

    form: the name of the file's format, which `read_archive` asks for
    Returns the path. The same content gives the same bytes.
    """
    text = json.dumps({"format": form, **meta})
    tensors = {_name(k): _plain(array) for k, array in enumerate(arrays)}
    seal = seal_of(text, tensors)
    return write_bytes(path, save(tensors, metadata={KEY: f"{seal} {text}"}))


def read_archive(path, form):
    """Return the (meta, arrays) of a file that `write_archive` wrote.

    Raises BundleError when it is missing, unreadable, damaged, or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise _missing(path)
    try:
        _look_at_start(path)
        text, tensors = _read(path)
        meta = json.loads(text)
        if meta["format"] != form:
            raise ValueError(meta["format"])
        return meta, [tensors.pop(_name(k)) for k in range(len(tensors))]
    except BundleError:
        raise
    except PermissionError as error:
        sentence = f"no se puede leer «{path}»: comprueba sus permisos"
        raise BundleError(sentence, path=str(path)) from error
    except Exception as error:  # safetensors and json fail in a dozen ways on damaged bytes
        raise damaged(path) from error


def is_there(path):
    """Return whether there is a file, or one of the old form in its place."""
    return Path(path).exists() or _of_old_form(path).exists()


def check_arrays(arrays, expected):
    """Raise ValueError unless arrays have the shapes and types of those that are expected."""
    if [(a.shape, a.dtype) for a in arrays] != [(a.shape, a.dtype) for a in expected]:
        raise ValueError("arrays of other shapes or types")


def damaged(path):
    """Return the error about a file that does not hold what it should."""
    sentence = f"«{path}» está dañado o no es un modelo de musiclab: bórralo y entrena de nuevo"
    return BundleError(sentence, path=str(path))


# The parts of a file


def _name(k):
    return f"array_{k:03d}"


def _plain(array):
    """Return an array whose bytes in memory are those that the file shall hold."""
    array = np.asarray(array, order="C")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def seal_of(text, tensors):
    """Return the SHA-256 of a JSON text, and of the tensors' names, types, shapes and bytes."""
    digest = sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(tensor)
    return digest.hexdigest()


def _look_at_start(path):
    """Refuse a file of the old form, and one whose header is longer than any of ours."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start.startswith(OLD_START):
        raise _outdated(path)
    if int.from_bytes(start, "little") > MAX_HEADER:
        raise ValueError("too long a header")


def _read(path):
    """Return (JSON text, {name: tensor}) of a file whose seal is whole."""
    # Not mapped into memory: a mapped file that shrinks meanwhile ends the process.
    with safe_open(path, framework="np", backend="pread") as file:
        seal, _, text = file.metadata()[KEY].partition(" ")
        tensors = file.get_tensors()
    if seal != seal_of(text, tensors):
        raise ValueError("the seal is broken")
    return text, tensors


# What is not there, or no longer read


def _of_old_form(path):
    return Path(path).with_suffix(OLD)


def _missing(path):
    if _of_old_form(path).is_file():
        return _outdated(_of_old_form(path))
    return BundleError(f"no existe el modelo «{path}»: entrena uno primero", path=str(path))


def _outdated(path):
    return BundleError(
        f"«{path}» es de una versión anterior de musiclab, de cuando guardaba en {OLD}, y solo ella "
        "lo lee: bórralo y entrena de nuevo, con LOAD_PREVIOUS = False",
        path=str(path),
    )
