"""A box in which a student's code can do what it likes.

bubblewrap gives it namespaces of its own: no network, no other process, no
file of the machine's but Python's, read-only, and a few small folders in
memory. As root, everything runs as a user whom nobody else is. Limits bound
each process, and a watcher bounds all of them together: memory, files, time,
and what the machine has left. Closing the box, or the end of the thread that
opened it, ends whatever is in it.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import threading
import time

from musiclab.errors import GradingError
from musiclab.grading.confining import (
    FOLDER,
    MB,
    Limits,
    bare,
    bounds,
    box_environment,
    boxed,
    clear_seat,
    make_seat,
    missing_tools,
)
from musiclab.grading.processes import (
    available_memory,
    family,
    queued_time,
    started_at,
    used_memory,
)
from musiclab.grading.serving import forget_server, fork_server

BUBBLEWRAP, NONE = "bubblewrap", "none"
TICK_S, ENDS_WITHIN_S, STARTS_WITHIN_S = 0.2, 2.0, 180.0
CLEARED_WITHIN_S = 20.0  # at most, after Ctrl-C: a busy machine takes longer to end processes
ENDS_BY_ITSELF_S, PATIENCE = 0.2, 4
HOLDER = ("cat",)  # keeps a box open until its input ends
NO_MEMORY, BROKEN_OFF = "máquina", "fin"  # what ends a box through no fault of its own
MOST_ANSWER, MOST_WAITING = 8 * 2**20 + 64, 4  # bytes of a line, and lines that nobody has read
REMEDY = (
    "usa Linux con bubblewrap, en Windows WSL2, en otro sistema Docker, o corrige sin aislar "
    "solo entregas de confianza (--trust-submissions)"
)


_open = set()  # boxes of this process


class BoxEndedError(Exception):
    """The box is no more; `reason` says what ended it."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Box:
    """A process that answers requests, one JSON line each, until it ends or is ended.

    words: those of the notebook's imports, by which a server is chosen whose fork comes into
        the box; None for a Python that is started in it

    Opened as a context; raises GradingError when it cannot be started, and BoxEndedError
    from `send` and `receive` once it is no more.
    """

    def __init__(self, limits=None, isolation=BUBBLEWRAP, words=frozenset()):
        self.limits, self.isolation, self.words = limits or Limits(), isolation, words

    def __enter__(self):
        if self.isolation not in (BUBBLEWRAP, NONE):
            raise GradingError(
                f"«{self.isolation!s:.40}» no es un aislamiento: {BUBBLEWRAP} o {NONE}"
            )
        if self.isolation == BUBBLEWRAP and (missing := missing_tools()):
            raise GradingError(f"no se puede aislar una entrega sin {missing}: {REMEDY}")
        forks = self.isolation == BUBBLEWRAP and self.words is not None
        while forks and (server := fork_server(self.words)) is not None:
            try:
                return self._opened(server)
            except (GradingError, OSError, ValueError):
                forget_server(server)
        return self._opened(None)

    def _opened(self, server):
        """Begin anew, whatever an attempt before has left, with the fork of a server or without."""
        self.stopped_by = ""
        self._python = self._waiting = None
        self._process, self._threads, self._pipes = None, (), ()
        self._seen, self._lines = {}, queue.Queue(maxsize=MOST_WAITING)
        self._closed = threading.Event()
        self.allow(STARTS_WITHIN_S)
        self._seat = make_seat()
        try:
            self._start(server)
            if not self.receive().get("ready"):
                raise BoxEndedError("proceso")
            self._python = self._notice()[-1]  # each process so far has one child
        except (BoxEndedError, OSError, ValueError) as error:
            said = self._what_was_said()
            self.__exit__()
            if self.stopped_by in (NO_MEMORY, BROKEN_OFF):
                raise
            raise GradingError(f"la caja no arranca ({said or error}): {REMEDY}") from error
        return self

    def _start(self, server):
        if self.isolation == NONE:
            command, environment, folder = bare(self.limits, self._seat)
        else:
            payload = None if server is None else HOLDER
            command, environment, folder = boxed(self.limits, self._seat, payload)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        _open.add(self)
        self._pipes = (self._process.stdin, self._process.stdout)
        if server is not None:
            self._fork(server)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def _fork(self, server):
        """Let a fork of a server join the box when it is there, and answer in its place."""
        holder_in, holder_out = self._process.stdin, self._process.stdout
        holder_in.write(b"1")
        holder_in.flush()
        if not select.select([holder_out], [], [], STARTS_WITHIN_S)[0]:
            raise OSError("no box in time")
        if os.read(holder_out.fileno(), 1) != b"1":
            raise OSError("no box")
        (asked, ask), (answer, answered) = os.pipe(), os.pipe()
        self._pipes = (os.fdopen(ask, "wb"), os.fdopen(answer, "rb"))
        try:
            holder = self._notice()[-1]
            pipes = (asked, answered)
            self._waiting = server.fork(holder, bounds(self.limits), box_environment(), pipes)
        finally:
            os.close(asked)
            os.close(answered)

    def __exit__(self, *_):
        self._closed.set()
        if self._process is not None:
            if not self.stopped_by:
                self._let_end()
            self._kill()
            self._let_go()
        clear_seat(self._seat)
        _open.discard(self)

    def _let_end(self):
        """Wait a moment for what has nothing more to do."""
        for pipe in (self._pipes[0], self._process.stdin):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()
        self._wait(ENDS_BY_ITSELF_S, lambda: self._has_ended() and self._process.poll() is not None)

    def _has_ended(self):
        """Return whether what answers is no more."""
        if self._waiting:
            return not started_at(self._waiting)
        return self._process.poll() is not None

    def _wait(self, seconds, holds):
        limit = time.monotonic() + seconds
        while not holds() and time.monotonic() < limit:
            time.sleep(0.002)

    def _let_go(self):
        for thread in self._threads:
            thread.join(ENDS_WITHIN_S)
        if any(thread.is_alive() for thread in self._threads):
            return  # it still reads, and closing would wait for it
        process = self._process
        for pipe in (*self._pipes, process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError, ValueError):  # what nobody has read any more
                pipe.close()

    # Requests and answers

    def allow(self, seconds):
        """Let the box live for so many seconds from now, and while it waits for a processor."""
        queued = queued_time(self._python) if self._python else 0.0
        self._allowed = (time.monotonic(), seconds, queued)

    def rest(self):
        """Let the box wait for what it is asked next; who asks says how long the answer may take."""
        self._allowed = (time.monotonic(), self.limits.total_s, 0.0)

    def _is_late(self):
        """Return whether the time is up; on a busy machine it comes later, PATIENCE times at most."""
        since, seconds, queued = self._allowed
        waited = time.monotonic() - since
        if waited <= seconds or not self._python:
            return waited > seconds
        return (
            waited - (queued_time(self._python) - queued) > seconds or waited > PATIENCE * seconds
        )

    def send(self, request):
        """Send plain data."""
        try:
            self._pipes[0].write(json.dumps(request).encode() + b"\n")
            self._pipes[0].flush()
        except OSError as error:
            raise self._ended() from error

    def receive(self):
        """Return the next answer, a dict; whatever else the box says ends it."""
        line = self._line()
        if line is None:
            self._lines.put(None)
            raise self._ended()
        try:
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answer
        except (ValueError, RecursionError, MemoryError):
            pass
        self.end("respuesta")
        raise BoxEndedError("respuesta")

    def _line(self):
        while True:
            with contextlib.suppress(queue.Empty):
                return self._lines.get(timeout=1.0)
            if self._is_late():  # the watcher is busy, or no more
                self.end("tiempo")

    def _ended(self):
        self._wait(ENDS_WITHIN_S, self._has_ended)  # the watcher may still be about to say why
        return BoxEndedError(self.stopped_by or "proceso")

    def _read(self):
        """Hand on each line that the box writes, and None at its end."""
        with contextlib.suppress(OSError, ValueError):
            while line := self._pipes[1].readline(MOST_ANSWER):
                self._hand_on(line)
        self._hand_on(None)

    def _hand_on(self, line):
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                return self._lines.put(line, timeout=TICK_S)

    def _what_was_said(self):
        """Return the last line of what bubblewrap or Python complained of."""
        if self._process is None:
            return ""
        self._kill()
        try:
            lines = self._process.stderr.read(10_000).decode("utf-8", "replace").splitlines()
        except (OSError, ValueError):
            return ""
        return lines[-1][:200] if lines else ""

    # Ends

    def end(self, reason):
        """End everything in the box."""
        self.stopped_by = self.stopped_by or reason
        self._kill()

    def _kill(self):
        """Kill all processes, and return when they are gone."""
        process = self._process
        limit = time.monotonic() + ENDS_WITHIN_S
        self._notice()
        process.kill()
        while time.monotonic() < limit:
            alive = [
                pid
                for pid, started in tuple(self._seen.items())
                if started and started_at(pid) == started
            ]
            for pid in alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if process.poll() is not None and not alive:
                break
            time.sleep(0.01)

    def _notice(self):
        """Keep in mind every process of the box, and return their numbers."""
        pids = family(self._process.pid) + (family(self._waiting) if self._waiting else [])
        for pid in pids:
            self._seen.setdefault(pid, started_at(pid))
        return pids

    # The watcher

    def _watch(self):
        while not self._closed.wait(TICK_S) and not self._has_ended():
            reason = "tiempo" if self._is_late() else ""
            with contextlib.suppress(OSError, ValueError, LookupError):  # it may be ending
                reason = reason or self._too_much()
            if reason:
                self.end(reason)
                return

    def _too_much(self):
        """Return what the box has too much of, or ""."""
        pids = self._notice()
        if not pids:
            return ""
        memory = used_memory(pids, self.limits.memory_mb * MB)
        if memory > self.limits.memory_mb * MB:
            return "memoria"
        if available_memory() < self.limits.floor_mb * MB:
            # Whose fault is it? Half of what was allowed would have been enough for others.
            return "memoria" if memory > self.limits.memory_mb * MB / 2 else NO_MEMORY
        return "disco" if self._files() > self.limits.files else ""

    def _files(self):
        """Return how many files there are in the folders that the box can write to."""
        if self.isolation == NONE or self._python is None:
            return 0
        places = [f"/proc/{self._python}/root{place}" for place in (FOLDER, "/tmp", "/dev/shm")]
        states = [os.statvfs(place) for place in places]
        return sum(state.f_files - state.f_ffree for state in states)


def end_all():
    """End all boxes of this process, where a grading is broken off, and wait for their threads."""
    limit = time.monotonic() + CLEARED_WITHIN_S
    while _open and time.monotonic() < limit:
        for one in tuple(_open):
            one.end(BROKEN_OFF)
        time.sleep(0.01)
