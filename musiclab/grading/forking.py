"""Boxes with Python in them at once: a server imports once, and a fork of it moves into each box.

Importing is most of what a short notebook costs. The server is a fresh
process with the box's environment; it never hears of a submission, a seed
or a key. What bubblewrap has put into a box is `cat`; the fork joins its
namespaces, takes on its user and the limits, and gives up every privilege
before a request reaches it. Whatever fails here, the box opens the plain way.

Run as a script, this file is the server; it imports nothing of this room,
which no submission may import.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent
STARTS_WITHIN_S, FORKS_WITHIN_S = 180.0, 60.0
NAMESPACES = ("mnt", "net", "ipc", "uts", "cgroup", "pid")
OWNER = 0xB701  # ioctl: the user namespace that owns another one
NO_NEW_PRIVS, DUMPABLE, DROP_BOUND, CAPABILITIES_V3 = 38, 4, 24, 0x20080522


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
        self._socket.close()
        self._process.kill()
        self._process.wait()


# The server, and what it becomes in a box


def _serve(packages, modules):
    control = socket.socket(fileno=os.dup(0))
    sys.path.insert(0, packages)
    for name in modules:
        with contextlib.suppress(ImportError):
            __import__(name)
    inner = compile((HERE / "inner.py").read_text(encoding="utf-8"), "/curso/caja/inner.py", "exec")
    sys.path.insert(0, str(HERE))
    import codec  # noqa: F401

    sys.path.remove(str(HERE))
    import gc

    gc.collect()
    gc.freeze()
    alone = len(os.listdir("/proc/self/task")) == 1  # a thread would not be there after a fork
    control.send(b"1" if alone else b"")
    while alone:
        request, pipes, _, _ = socket.recv_fds(control, 4096, 2)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not request:
            break
        if not (pid := os.fork()):
            _move(json.loads(request), pipes, inner)
        for pipe in pipes:
            os.close(pipe)
        control.send(str(pid).encode())


def _move(request, pipes, inner):
    """Become what answers in a box, or what waits for it outside of its namespace of processes."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _join(libc, request["holder"])
        for name, number in request["limits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (number, number))
        _give_up(libc)
        if pid := os.fork():
            os.closerange(0, 256)
            os.waitpid(pid, 0)
            os._exit(0)
        os.setsid()
        for number, pipe in enumerate((*pipes, os.open(os.devnull, os.O_RDWR))):
            os.dup2(pipe, number)
        os.closerange(3, 256)
        os.environ.update(request["environment"])
        os.chdir(os.environ["HOME"])
        _freshen()
        sys.argv = [inner.co_filename, sys.path.pop(0)]
        exec(inner, {"__name__": "__main__", "__file__": inner.co_filename})
    finally:
        os._exit(1)


def _join(libc, holder):
    """Join the namespaces of a process, with its user and none of ours."""
    place = f"/proc/{holder}"
    opened = {name: os.open(f"{place}/ns/{name}", os.O_RDONLY) for name in NAMESPACES}
    owner, its = os.stat(place), os.open(f"{place}/ns/user", os.O_RDONLY)
    between = fcntl.ioctl(opened["mnt"], OWNER)
    ours = [os.stat(f"/proc/self/ns/{name}").st_ino for name in (*NAMESPACES, "user")]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(*3 * (owner.st_gid,))
        os.setresuid(*3 * (owner.st_uid,))
    # From the user namespace that owns the others one may join them, and then that within it.
    for space in dict.fromkeys((between, *opened.values(), its)):
        number = os.fstat(space).st_ino
        if number not in ours:
            _do(libc.setns(space, 0))
            ours.append(number)


def _give_up(libc):
    """Give up all capabilities, for good."""
    for number in range(64):
        if libc.prctl(DROP_BOUND, number, 0, 0, 0):
            break
    _do(libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()))
    _do(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0))
    _do(libc.prctl(DUMPABLE, 1, 0, 0, 0))  # as after a start: else its own /proc/self is closed


def _do(failed):
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _freshen():
    """Forget what the server has drawn or looked up for itself."""
    sys.modules["numpy"].random.seed()
    for name in ("get_configdir", "get_cachedir"):
        with contextlib.suppress(AttributeError, KeyError):
            getattr(sys.modules["matplotlib"], name).cache_clear()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
