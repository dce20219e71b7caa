"""``gen3d serve``: the engine behind an interface."""

from __future__ import annotations

import argparse
from typing import Any

from .common import command, device_options


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "serve", _serve, "Serve an interface over standard input and output, in binary frames.")
    device_options(parser)


def _serve(options: argparse.Namespace) -> None:
    from ..worker import serve

    serve(options.device, options.threads)
