"""``gen3d data``: what there is to learn from, checked and measured."""

from __future__ import annotations

from typing import Any

from . import catalogue, check, coverage


def add(commands: Any) -> None:
    """Adds the group."""
    text = "Check meshes, write catalogue shapes, measure the catalogue."
    parser = commands.add_parser("data", help=text, description=text)
    group = parser.add_subparsers(title="commands", dest="data_command", required=True, metavar="COMMAND")
    check.add(group)
    catalogue.add(group)
    coverage.add(group)
