"""Files that are written whole or not at all, folders with one writer, reading without waiting.

Whatever goes wrong is one Spanish sentence: an OutputError where a file
cannot be written.
"""

import base64
import contextlib
import csv
import errno
import io
import json
import os
import stat
from pathlib import Path

from filelock import FileLock, Timeout

from musiclab.errors import OutputError

REASONS = {
    errno.ENOENT: "no existe",
    errno.EISDIR: "es una carpeta",
    errno.EEXIST: "una parte de la ruta no es una carpeta",
    errno.ENOTDIR: "una parte de la ruta no es una carpeta",
    errno.EACCES: "no hay permiso",
    errno.EPERM: "no hay permiso",
    errno.EROFS: "solo se puede leer",
    errno.ENOSPC: "el disco está lleno",
    errno.EFBIG: "el disco no admite un fichero tan grande",
    errno.ENAMETOOLONG: "el nombre es demasiado largo",
    errno.ELOOP: "los enlaces dan vueltas",
}

LOCK = ".entrenando"
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


def reason(error):
    """Return in Spanish why the system refused a file (OSError), or its name (ValueError)."""
    number = getattr(error, "errno", None)
    return REASONS.get(number) or getattr(error, "strerror", None) or str(error)


def shown(path):
    """Return a path as text that can be printed, whatever bytes are in its name."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def write_bytes(path, data):
    """Write a file whole or not at all, and return its path.

    Raises OutputError when the folder or the disk does not take it; a file
    that was there before is then still there.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise OutputError(f"«{shown(path)}» es una carpeta: di también un nombre de fichero")
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"no se puede escribir «{shown(path)}» ({reason(error)}): elige otra carpeta u otro "
            "nombre, o comprueba sus permisos y el espacio en disco"
        ) from error
    return path


def write_csv(path, rows):
    """Write dicts with the same keys as CSV, floats to 4 decimals; return the path.

    Whole or not at all, as `write_bytes` does.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    return write_bytes(path, text.getvalue().encode())


def write_json(path, value):
    """Write a value as JSON, whole or not at all, and return the path."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return write_bytes(path, (text + "\n").encode())


def output_folder(path):
    """Make a folder for what a lesson writes, and return it as a Path.

    Raises OutputError when nothing can be written there.
    """
    folder = Path(path)
    # Two processes may ask at once, each for its own file.
    write_bytes(folder / f".prueba-{os.getpid()}", b"").unlink()
    return folder


@contextlib.contextmanager
def sole_writer(folder, names):
    """Keep a folder for this process's training: a second one is refused meanwhile.

    names: the files that are written there; what a killed writer left of
        them half written is deleted

    The lock is the operating system's: it ends with the process, however
    that ends. Where the file system knows no locks, as on some network
    drives, nothing is refused.

    Raises OutputError when another training has the folder, or nothing can
    be written there.
    """
    folder = Path(folder)
    lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"otro entrenamiento está escribiendo en «{folder}», quizá en otro cuaderno abierto: "
            "espera a que acabe o detén su núcleo, o elige otra OUTPUT_DIR",
            path=str(folder),
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise OutputError(
                f"no se puede escribir en «{folder}» ({reason(error)}): elige otra carpeta, o "
                "comprueba sus permisos y el espacio en disco",
                path=str(folder),
            ) from error
    try:
        for name in names:
            _delete_half_written(folder, name)
        yield
    finally:
        # Deleted while it is still ours: who opened it before finds out that it is gone.
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
        lock.release()


def _delete_half_written(folder, name):
    for leftover in folder.glob(f".{name}.tmp-*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def read_regular(path, max_bytes):
    """Return at most max_bytes + 1 bytes of a regular file, and never wait for a pipe or a device.

    Raises OSError when it is none or cannot be read.
    """
    # Without this flag, opening a pipe waits until somebody writes to it.
    flag = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | flag)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "no es un fichero normal")
        # Python sets aside as much memory as it is asked to read.
        return file.read(min(status.st_size, max_bytes) + 1)


def data_url(data, kind):
    """Return the bytes of a file of a MIME type as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
