"""The command line that puts Python into a box, and what lies ready there.

Conventions: sizes in MB (2**20 bytes), times in seconds of wall time.
"""

import contextlib
import os
import platform
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import musiclab
from musiclab.grading.processes import started_at

PACKAGE = Path(musiclab.__file__).parent
HERE = Path(__file__).parent
MB = 2**20
PREFIX = "musiclab-"
FOLDER, SEAT, DATA = "/alumno", "/curso/caja", "/curso/Datasets"  # in the box


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    cell_s: for one cell; call_s: for one call of a function at most
    run_s: for all cells; total_s: for a submission, its calls too
    memory_mb: of all processes together; floor_mb: what the machine keeps
    disk_mb, files: in the folder of the notebook; file_mb: of one file
    processes: threads count too
    """

    cell_s: float = 60.0
    run_s: float = 300.0
    call_s: float = 20.0
    total_s: float = 600.0
    memory_mb: int = 2000
    floor_mb: int = 500
    disk_mb: int = 256
    files: int = 20_000
    file_mb: int = 64
    processes: int = 256


def missing_tools():
    """Return in Spanish which programs a box needs that are not here, or ""."""
    if platform.system() != "Linux":
        return "Linux"
    needed = ["bwrap", "prlimit"]
    if os.geteuid() == 0:
        needed += ["setpriv", "unshare", "mount"]
    packages = {"bwrap": "bubblewrap"}
    missing = [packages.get(tool, tool) for tool in needed if shutil.which(tool) is None]
    return " ni ".join(missing)


# With bubblewrap


def boxed(limits, seat, payload=None):
    """Return (command, environment, folder) of a box of its own, with Python in it.

    payload: a command in its place, which waits, and which nothing in the box can end
    """
    python = [*_prlimit(limits), sys.executable, "-I", f"{SEAT}/inner.py", str(PACKAGE.parent)]
    start = ["--as-pid-1", "--", *payload] if payload else ["--", "nice", "-n", "5", *python]
    build = lambda seen: [*_bubblewrap(seen, limits), *start]
    seen = _places(seat)
    command = _as_nobody(build, seen, seat) if os.geteuid() == 0 else build(seen)
    # The box's first process shows the environment that bubblewrap was started with.
    return command, {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}, "/"


def box_environment():
    """Return the environment in a box."""
    return _environment(FOLDER, DATA, f"{Path(sys.executable).parent}:/usr/bin:/bin")


def _environment(home, data, path):
    return {
        "HOME": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
        "LOGNAME": "alumno",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "MUSICLAB_CACHE": f"{home}/.cache",
        "MUSICLAB_DATASETS": str(data),
        "MUSICLAB_PROGRESS": "off",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": path,
        "PWD": home,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "USER": "alumno",
    }


def bounds(limits):
    """Return {name of a limit of each process: number}."""
    return {
        "nproc": limits.processes,
        "data": (limits.memory_mb + 2000) * MB,  # TensorFlow asks for more than it takes
        "fsize": limits.file_mb * MB,
        "nofile": 256,
        "core": 0,
    }


def _prlimit(limits):
    return ["prlimit", *(f"--{name}={n}:{n}" for name, n in bounds(limits).items()), "--"]


def _bubblewrap(seen, limits):
    """Return the command line; `seen`: {place in the box: place outside} that can be read."""
    mb = {"/tmp": 64, "/dev/shm": 64, FOLDER: limits.disk_mb}
    command = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--disable-userns", "--die-with-parent"]
    command += ["--new-session", "--cap-drop", "ALL", "--hostname", "alumno"]
    command += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path(f"/usr/{name}").is_dir():
            command += ["--symlink", f"usr/{name}", f"/{name}"]
    for name in ("ld.so.cache", "fonts", "alternatives", "localtime"):
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    # Before what is bound, for that may lie below one of them.
    for place, size in mb.items():
        command += ["--perms", "0700", "--size", str(size * MB), "--tmpfs", place]
    for inside, outside in seen.items():
        command += ["--ro-bind", outside, inside]
    hidden = str(PACKAGE / "grading")
    command += ["--size", "4096", "--tmpfs", hidden, "--remount-ro", hidden]
    command += ["--chdir", FOLDER, "--remount-ro", "/", "--clearenv"]
    for name, value in box_environment().items():
        command += ["--setenv", name, value]
    return command


def _places(seat):
    """Return {place in the box: place outside} of what is read there: Python and the course."""
    seen = {}
    for prefix in (sys.base_prefix, sys.prefix):
        if not Path(prefix).is_relative_to("/usr"):
            seen[prefix] = prefix
    # Where it lies outside, so that what a server has imported is found in the box too.
    seen[str(PACKAGE)] = str(PACKAGE)
    data = _datasets()
    if data.is_dir():
        seen[DATA] = str(data)
    seen[SEAT] = str(seat)
    return seen


def _datasets():
    return Path(os.environ.get("MUSICLAB_DATASETS") or PACKAGE.parent / "Datasets").resolve()


def _as_nobody(command_of, seen, seat):
    """Return a command that root may start: in the box there is a user whom nobody else is.

    That user cannot go through folders such as /root: what is bound is first bound to an empty
    folder of the box's own, in a mount namespace that ends with it.
    """
    user = str(2_000_000_000 + secrets.randbelow(100_000_000))
    staged, steps = {}, []
    for number, (inside, outside) in enumerate(seen.items()):
        staged[inside] = outside
        if _is_open(Path(outside)):
            continue
        place = seat.parent / f"{number}"
        place.mkdir(exist_ok=True)
        staged[inside] = str(place)
        steps.append(shlex.join(["mount", "--bind", outside, str(place)]))
    drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    drop += ["--pdeathsig=KILL", "--"]
    steps.append("exec " + shlex.join([*drop, *command_of(staged)]))
    outer = ["setpriv", "--pdeathsig=KILL", "--", "unshare", "--pid", "--mount", "--fork"]
    return [*outer, "--kill-child=KILL", "--", "sh", "-c", " && ".join(steps)]


def _is_open(folder):
    """Return whether anybody may go into a folder and read it."""
    modes = [one.stat().st_mode for one in (folder, *folder.parents)]
    return modes[0] & 0o004 and all(mode & 0o001 for mode in modes)


# With limits alone


def bare(limits, seat):
    """Return (command, environment, folder) of a process with limits and nothing else."""
    home = seat.parent / "alumno"
    home.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = _environment(str(home), _datasets(), path)
    if "SYSTEMROOT" in os.environ:  # without it Python does not start on Windows
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    command = [sys.executable, "-I", str(seat / "inner.py"), str(PACKAGE.parent)]
    if shutil.which("prlimit"):
        # As the teacher, all that the teacher runs would count.
        command = [word for word in _prlimit(limits) if not word.startswith("--nproc")] + command
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig=KILL", "--", *command]
    return command, environment, str(home)


# What lies ready for the box


def make_seat():
    """Return a new folder with all that the inner side is started from."""
    seat = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{_owner(os.getpid())}-")) / "caja"
    seat.mkdir()
    for folder in (seat.parent, seat):
        folder.chmod(0o755)
    for source in (HERE / "inner.py", HERE / "codec.py", *font_lists()):
        shutil.copyfile(source, seat / source.name)
        (seat / source.name).chmod(0o644)
    return seat


def clear_seat(seat):
    """Remove what `make_seat` made, and nothing that may be bound to a folder of it."""
    for name in ("caja", "alumno"):
        shutil.rmtree(seat.parent / name, ignore_errors=True)
    for folder in (*seat.parent.glob("*"), seat.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def sweep():
    """Remove the folders that graders left behind which were killed, and no living one's."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        named = re.fullmatch(rf"{PREFIX}((\d+)\.(\d+)\.\d+)-\w+", folder.name)
        if not named or folder.is_symlink():
            continue
        was, space, pid = named.groups()
        now = _owner(int(pid))
        # What runs in another namespace, such as another container, is not seen from here.
        if now.startswith(f"{space}.") and now != was:
            with contextlib.suppress(OSError):
                if folder.stat().st_uid == os.geteuid():
                    clear_seat(folder / "caja")


def _owner(pid):
    """Return a name for a process that no other will have, half of one for a process that is gone."""
    try:
        return f"{os.stat('/proc/self/ns/pid').st_ino}.{pid}.{started_at(pid)}"
    except OSError:
        return ""


def font_lists():
    """Return matplotlib's lists of fonts, made once: each box would spend a second on its own."""
    import platformdirs

    cache = os.environ.get("MUSICLAB_CACHE") or platformdirs.user_cache_dir("musiclab")
    folder = Path(cache) / "matplotlib"
    found = list(folder.glob("fontlist-*.json"))
    if not found:
        environment = os.environ | {"MPLCONFIGDIR": str(folder)}
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(command, env=environment, check=False, capture_output=True, timeout=120)
        found = list(folder.glob("fontlist-*.json"))
    return found
