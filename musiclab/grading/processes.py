"""What /proc says of a family of processes and of the machine; nothing where there is no /proc."""

import contextlib
import os
from pathlib import Path


def family(pid):
    """Return the number of a process and of all that come from it, the oldest first."""
    found, k = [pid], 0
    while k < len(found):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{found[k]}/task"):
                text = Path(f"/proc/{found[k]}/task/{thread}/children").read_text()
                found += [int(child) for child in text.split()]
        k += 1
    return found


def started_at(pid):
    """Return when a process was started, in ticks, or "" when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, LookupError):
        return ""


def queued_time(pid):
    """Return the seconds that a process has waited for a processor, by its most patient thread."""
    longest = 0
    with contextlib.suppress(OSError, LookupError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb", buffering=0) as file:
                longest = max(longest, int(file.read(200).split()[1]))
    return longest / 1e9


def used_memory(pids, enough):
    """Return the bytes of memory that processes use together, files in memory that they hold too.

    enough: below it the sum that counts shared pages twice will do, which is read faster.
    """
    held = sum(_held_files(pids).values())
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
    resident = sum(page * _number(f"/proc/{pid}/statm", 1) for pid in pids)
    if resident + held <= enough:
        return resident + held
    return held + sum(_pss(pid) for pid in pids)


def _number(path, place):
    try:
        return int(Path(path).read_text().split()[place])
    except (OSError, IndexError, ValueError):
        return 0


def _pss(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _held_files(pids):
    """Return {file: bytes} of those in memory that have no name but a descriptor (memfd)."""
    held = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(entry.path).startswith("/memfd:"):
                        state = os.stat(entry.path)
                        held[state.st_dev, state.st_ino] = 512 * state.st_blocks
    return held


def available_memory():
    """Return the bytes that the machine can still give, or a lot where it does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return 2**60
