"""What a machine can do: whether it isolates submissions, and what to install where it does not."""

import contextlib
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from musiclab.errors import GradingError
from musiclab.grading.box import BUBBLEWRAP, NONE, Box
from musiclab.grading.confining import MB, Limits, missing_tools
from musiclab.grading.processes import available_memory


@dataclass(frozen=True)
class Machine:
    """What a machine can do: whether it isolates, and Spanish sentences that say why not."""

    isolates: bool
    sentences: tuple[str, ...]

    @property
    def isolation(self):
        """Return how submissions are run here."""
        return BUBBLEWRAP if self.isolates else NONE


def check_machine():
    """Start a box, look out of it, and say what this machine can do and what to install."""
    if missing := missing_tools():
        return Machine(False, _advice(missing))
    try:
        start = time.monotonic()
        with Box(Limits(cell_s=30), words=None):
            seconds = f"{time.monotonic() - start:.1f}".replace(".", ",")
    except GradingError as error:
        return Machine(False, (str(error), *_hints()))
    free = available_memory() // MB
    said = subprocess.run(["bwrap", "--version"], check=False, capture_output=True, text=True)
    sentences = (
        f"{said.stdout.strip() or BUBBLEWRAP} aísla las entregas; una caja arranca en {seconds} s",
        f"quedan {free} MB de memoria; cada entrega puede usar {Limits().memory_mb}",
    )
    return Machine(True, sentences)


def _advice(missing):
    system = platform.system()
    if system == "Windows":
        return ("Windows no puede aislar entregas: instala WSL2 (wsl --install) y corrige allí",)
    if system != "Linux":
        return (f"{system} no puede aislar entregas: usa Docker o un equipo con Linux",)
    command = "sudo apt install bubblewrap util-linux"
    return (f"falta {missing}: instálalo con «{command}» o su equivalente en tu sistema",)


def _hints():
    """Return what most often forbids a box."""
    hints = []
    switch = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    with contextlib.suppress(OSError):
        if switch.read_text().strip() == "1":
            hints.append(
                "Ubuntu 24.04 y posteriores lo prohíben hasta que se carga el perfil "
                "bwrap-userns-restrict: sudo apt install apparmor-profiles"
            )
    if Path("/.dockerenv").exists():
        hints.append(
            "en Docker hace falta --security-opt seccomp=unconfined "
            "--security-opt systempaths=unconfined"
        )
    return tuple(hints)
