"""The commands: each module adds its own to the parser and imports torch only when it runs."""

from __future__ import annotations

from typing import Any

from . import augment, bench, data, directions, evaluate, models, serve, shapes, told, train


def add_all(commands: Any) -> None:
    """Adds every command to argparse's ``commands``."""
    for module in (models, shapes, told, augment, directions, data, train, evaluate, serve, bench):
        module.add(commands)
