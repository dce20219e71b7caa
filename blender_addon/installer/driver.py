"""What the driver of an NVIDIA graphics card says of itself."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

AUTOMATIC, CPU, CUDA = "auto", "cpu", "cuda"
#: A card that sleeps is woken by the question, which takes a while.
SECONDS = 8.0


@dataclass(frozen=True)
class Driver:
    """An installed and working driver.

    Args:
        version: its own.
        cuda: the newest CUDA that it can run, major and minor.
    """

    version: str
    cuda: tuple[int, int]

    def __str__(self) -> str:
        """For people."""
        return f"NVIDIA driver {self.version} (CUDA {self.cuda[0]}.{self.cuda[1]})"


def find(program: str = "nvidia-smi") -> Driver | None:
    """The driver of this machine; None where there is none, or where it finds no card."""
    path = shutil.which(program)
    if path is None:
        return None
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        done = subprocess.run(
            [path],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            creationflags=flags,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout) if done.returncode == 0 else None


def parse(text: str) -> Driver | None:
    """The driver that ``nvidia-smi`` tells of; None where it tells of none."""
    version = re.search(r"Driver Version:\s*([\d.]+)", text)
    # Newer ones distinguish the CUDA of the user-mode driver.
    cuda = re.search(r"CUDA (?:UMD )?Version:\s*(\d+)\.(\d+)", text)
    if version is None or cuda is None:
        return None
    return Driver(version[1], (int(cuda[1]), int(cuda[2])))
