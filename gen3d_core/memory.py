"""Refuses what cannot fit, before the machine starts to swap."""

from __future__ import annotations

import psutil

from .errors import OutOfMemory

#: Measured peak of a field's evaluation and marching cubes: values, masks, pooled copies, padding.
BYTES_PER_CELL = 48
#: What must stay free for everything else on the machine.
SHARE = 0.8


def require_grid(resolution: int) -> None:
    """Checks that a grid of ``resolution``^3 cells can be meshed in the memory that is available now.

    Raises:
        OutOfMemory: it cannot.
    """
    needed = resolution**3 * BYTES_PER_CELL
    available = psutil.virtual_memory().available
    if needed > SHARE * available:
        largest = int((SHARE * available / BYTES_PER_CELL) ** (1 / 3)) // 8 * 8
        raise OutOfMemory(
            f"Resolution {resolution} needs about {needed / 2**30:.0f} GiB of memory; "
            f"{available / 2**30:.1f} GiB are free.",
            f"Choose a resolution of at most {max(largest, 8)}.",
        )
