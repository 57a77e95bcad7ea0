"""Build .venv beside pyproject.toml from requirements.lock, with nothing but Python.

uv installs in seconds; where it cannot be had, pip installs the same hashed
files. MUSICLAB_INSTALLER=pip asks for pip. The stamp is removed first and
written last, so a .venv that was interrupted has none and is built anew.
"""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
LOCK = "requirements.lock"
UV = "uv>=0.8,<1"  # not in the lock: it installs hashed files, whatever its version


def main(root=ROOT):
    python = root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = root / ".venv" / "musiclab.stamp"
    wanted = [describe_place(root), hash_sources(root)]
    found = read_stamp(stamp) if python.exists() else []
    if found == wanted:
        return
    check_python(sys.version_info, sys.platform, platform.machine())
    print(f"Preparando .venv con Python {name(sys.version_info)}, unos minutos...", flush=True)
    stamp.unlink(missing_ok=True)
    if found[:1] != wanted[:1]:
        create(root / ".venv")
    install(root, str(python))
    stamp.write_text("\n".join(wanted), encoding="utf-8", errors="surrogateescape")
    print("Entorno listo.")


def describe_place(root):
    """Say what cannot change under a .venv: its Python and its folder."""
    return f"Python {name(sys.version_info)} en {root}"


def hash_sources(root):
    """Hash the two files that decide what is installed."""
    digest = hashlib.sha256()
    for source in (LOCK, "pyproject.toml"):
        digest.update((root / source).read_bytes())
    return digest.hexdigest()


def read_stamp(path):
    """Return the two lines of the stamp, or none where a .venv is unfinished."""
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()


def name(version):
    return f"{version[0]}.{version[1]}"


def check_python(version, system, machine):
    """Stop with one sentence if this Python cannot run the course."""
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        sys.exit(
            f"Python {name(version)} no sirve, "
            f"el curso necesita de la {name(OLDEST)} a la {name(NEWEST)}: "
            "instala una de https://www.python.org/downloads/ y repite con ella."
        )
    if (system, machine) == ("darwin", "x86_64"):
        sys.exit(
            "Este Python es para Mac con Intel y TensorFlow ya no lo admite: "
            "en un Mac M1 o posterior instala un Python para ARM; en otro, usa Binder."
        )


def create(folder):
    """Make an empty virtual environment that has pip, in place of any older one."""
    try:
        import ensurepip  # noqa: F401  Debian leaves it out of python3
        import venv
    except ImportError:
        version = name(sys.version_info)
        sys.exit(
            f"A Python {version} le falta el módulo venv: "
            f"ejecuta `sudo apt install python3-venv` (o python{version}-venv) y repite."
        )
    venv.create(folder, clear=True, symlinks=os.name != "nt", with_pip=True)


def install(root, python):
    """Install the lock and the project itself with the first recipe that works."""
    pip = [python, "-m", "pip", "install", "-qq"]
    uv = [python, "-m", "uv", "--quiet", "pip"]
    wheels = ["--require-hashes", "--only-binary", ":all:"]
    project = ["--no-deps", "--no-build-isolation", "--editable", "."]
    with_uv = [
        [*pip, UV],
        [*uv, "sync", *wheels, "--compile-bytecode", "--python", python, LOCK],
        [*uv, "install", "--python", python, *project],
    ]
    with_pip = [[*pip, *wheels, "--requirement", LOCK], [*pip, *project]]
    if os.environ.get("MUSICLAB_INSTALLER") != "pip":
        if not first_error(root, with_uv):
            return
        print("uv no ha podido: sigue pip, más despacio...", flush=True)
    error = first_error(root, with_pip)
    if error:
        sys.exit(
            f"{error}\npip no ha podido instalar {LOCK}: "
            "comprueba la conexión y el espacio en disco, y repite."
        )


def first_error(root, commands):
    """Run the commands up to the first that fails; return what it said, or None."""
    # uv trusts the certificates that pip and the browser trust; its old name, then its new one.
    environment = {**os.environ, "UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1"}
    for command in commands:
        done = subprocess.run(
            command,
            check=False,
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            return done.stdout.decode(errors="replace").strip() or f"código {done.returncode}"


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(
            f"{error}: comprueba que la carpeta del curso está completa "
            "y que puedes escribir en ella, cierra JupyterLab si está abierto, y repite."
        )
    except KeyboardInterrupt:
        sys.exit("Interrumpido: repite cuando quieras, se empieza de nuevo con lo ya descargado.")
