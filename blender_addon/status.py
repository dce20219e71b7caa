"""What the interface shows besides the scene: the last error, the engine's verdict, notes about held results."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy

from ..gen3d_core.errors import Gen3DError


@dataclass
class Verdict:
    """What was found out about the engine's Python.

    Args:
        good: whether it can be used.
        lines: short facts, best first.
    """

    good: bool
    lines: Sequence[str]


@dataclass
class Status:
    """One per Blender; nothing of it is saved in a file.

    Args:
        error: the last one, until it is dismissed or another task begins.
        verdict: of the last start of the engine; None before it.
        notes: why an object's mesh does not follow its slider, by the object's ``session_uid``.
    """

    error: Gen3DError | None = None
    verdict: Verdict | None = None
    notes: dict[int, str] = field(default_factory=dict)

    def reset(self) -> None:
        """As at the start."""
        self.error, self.verdict = None, None
        self.notes.clear()


status = Status()


def record(error: Gen3DError) -> None:
    """Makes ``error`` the last one, to be shown in the panel."""
    status.error = error
    redraw()


def redraw() -> None:
    """Asks for a new picture of everything that shows the status."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas if window.screen else ():
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
