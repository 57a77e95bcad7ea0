"""Servers that have imported already, and fork into boxes: what a grader knows of `forking`.

All threads of a process share them. One that fails is replaced once; then
Python is started in each box.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from musiclab.grading.confining import (
    HERE,
    PACKAGE,
    Limits,
    bare,
    box_environment,
    clear_seat,
    make_seat,
)

STARTS_WITHIN_S, FORKS_WITHIN_S = 180.0, 60.0
MOST_FAILURES = 2
_servers, _failures, _lock = {}, Counter(), threading.Lock()
SHELL = (
    "application",
    "completer",
    "completerlib",
    "interactiveshell",
    "logger",
    "magics",
    "oinspect",
)
COMMON = (
    "fcntl",
    "resource",
    "bdb",
    "numpy.random",
    *(f"IPython.core.{part}" for part in SHELL),
    "musiclab.course",
    "musiclab.midi",
)
# What else is imported where a notebook's imports have such a word; learning takes three seconds.
EXTRAS = {
    "matplotlib plotting diagrams card": ("matplotlib.pyplot", "musiclab.diagrams"),
    "tensorflow keras backend models training": ("musiclab.models", "musiclab.training"),
}


class Server:
    """A process that has imported some modules, with one thread, and forks into boxes."""

    def __init__(self, command, environment):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = subprocess.DEVNULL
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs, stdout=null, stderr=null,
                env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        self._lock = threading.Lock()
        try:
            self._hear(STARTS_WITHIN_S)
        except (OSError, ValueError):
            self.close()
            raise

    def _hear(self, seconds):
        self._socket.settimeout(seconds)
        if not (said := self._socket.recv(100)):
            raise OSError("the server has ended")
        return int(said)

    def fork(self, holder, limits, environment, pipes):
        """Let a fork join the box of a process; return the number of the one that waits for it.

        limits: {name in lower case of a limit of `resource`: number}
        environment: of the fork; pipes: descriptors for requests and answers
        """
        request = {"holder": holder, "limits": limits, "environment": environment}
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], pipes)
            return self._hear(FORKS_WITHIN_S)

    def close(self):
        """End the server; who is in a box stays there."""
        self._process.kill()
        self._process.wait()
        with self._lock:  # who waits for an answer has heard by now that there is none
            self._socket.close()


def fork_server(words):
    """Return this process's server for notebooks whose imports have some words, or None."""
    modules = [*COMMON]
    for known, more in EXTRAS.items():
        modules += more if words & set(known.split()) else ()
    exercises = sorted(PACKAGE.glob("exercises/*.py"))
    modules += [f"musiclab.exercises.{one.stem}" for one in exercises if one.stem in words]
    key = (os.getpid(), *modules)
    with _lock:
        while key not in _servers and _failures[key] < MOST_FAILURES:
            try:
                _servers[key] = _started_server(modules)
            except (OSError, ValueError):
                _failures[key] += 1
        return _servers.get(key)


def forget_server(server):
    """Go on without a server that has failed; whoever else has found it so changes nothing."""
    server.close()
    with _lock:
        for key in [key for key, known in _servers.items() if known is server]:
            del _servers[key]
            _failures[key] += 1


def _started_server(modules):
    """Return a Server that begins in the environment of a box, with a home for what it imports."""
    seat = make_seat()
    try:
        environment = bare(Limits(), seat)[1] | {
            "MUSICLAB_DATASETS": box_environment()["MUSICLAB_DATASETS"]
        }
        fonts = Path(environment["MPLCONFIGDIR"])
        fonts.mkdir()
        for one in seat.glob("fontlist-*.json"):
            shutil.copy(one, fonts)
        command = [sys.executable, "-I", str(HERE / "forking.py"), str(PACKAGE.parent), *modules]
        return Server(["nice", "-n", "5", *command], environment)
    finally:
        clear_seat(seat)
