"""Boxes with Python in them at once: a server imports once, and a fork of it moves into each box.

Importing is most of what a short notebook costs. The server is a fresh
process with the box's environment; it never hears of a submission, a seed
or a key. What bubblewrap has put into a box is `cat`; the fork joins its
namespaces, takes on its user and the limits, and gives up every privilege
before a request reaches it. Whatever fails here, the box opens the plain way.

This file is run as a script, on Linux; it imports nothing of this room, which
no submission may import. `serving.Server` is how a grader talks to it.
"""

import contextlib
import ctypes
import gc
import json
import os
import socket
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMESPACES = ("mnt", "net", "ipc", "uts", "cgroup", "pid")
OWNER = 0xB701  # ioctl: the user namespace that owns another one
NO_NEW_PRIVS, DUMPABLE, DROP_BOUND, CAPABILITIES_V3 = 38, 4, 24, 0x20080522


def _serve(packages, modules):
    """Import, and fork for each request: {holder, limits, environment} and two pipes."""
    control = socket.socket(fileno=os.dup(0))
    sys.path.insert(0, packages)
    for name in modules:
        with contextlib.suppress(ImportError):
            __import__(name)
    inner = compile((HERE / "inner.py").read_text(encoding="utf-8"), "/curso/caja/inner.py", "exec")
    sys.path.insert(0, str(HERE))
    import codec  # noqa: F401

    sys.path.remove(str(HERE))
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
    import resource

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
    import fcntl

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
