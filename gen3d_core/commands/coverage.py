"""gen3d coverage."""

from __future__ import annotations

from typing import Any


def add(group: Any) -> None:
    """Adds it."""
