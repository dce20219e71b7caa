"""The command line: ``gen3d`` or ``python -m gen3d_core``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from . import __version__

USAGE_ERROR = 2
CANCELLED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, 2 for an error a person can repair, 130 when interrupted."""
    # Before torch is imported: with it, threads that wait do not burn the cores that other work needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from .commands import add_all
    from .errors import Gen3DError

    parser = argparse.ArgumentParser(prog="gen3d", description="Generative models of 3D shapes.")
    parser.add_argument("--version", action="version", version=f"gen3d {__version__}")
    add_all(parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except Gen3DError as error:
        if getattr(options, "json", False):
            print(json.dumps({"error": {"kind": error.kind, "message": error.message, "remedy": error.remedy}}))
        print(f"gen3d: {error}", file=sys.stderr)
        return USAGE_ERROR
    except ImportError as error:
        python = f"The engine's Python {sys.executable} cannot import {error.name or error}."
        print(f"gen3d: {python} Install it: {sys.executable} -m pip install {error.name}", file=sys.stderr)
        return USAGE_ERROR
    except MemoryError:
        print("gen3d: There is not enough memory for this. Choose a lower resolution.", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("gen3d: cancelled", file=sys.stderr)
        return CANCELLED
    return 0


if __name__ == "__main__":
    sys.exit(main())
