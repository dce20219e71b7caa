"""Runs one of the examples as ``blender --python EXAMPLE -- ARGUMENTS`` does."""

import runpy
import sys

from support import enable

enable()
runpy.run_path(sys.argv[1], run_name="__main__")
