"""docs/faults.md lists faults with the tests that provoke them; this holds it to what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "faults.md"
SCRIPTS = TESTS / "blender" / "scripts"


def _rows() -> dict[int, list[str]]:
    """The names of tests in each numbered row."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| (\d+) \| .+ \| .+ \| (.+) \|$", line):
            rows[int(found[1])] = re.findall(r"`([^`]+)`", found[2])
    return rows


def _functions(name: str) -> set[str]:
    """The tests in the file of that name."""
    (path,) = TESTS.rglob(name)
    return {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}


def _run_by_tests() -> str:
    """The text of the tests that run scripts inside Blender."""
    return "".join(
        (TESTS / "blender" / name).read_text(encoding="utf-8") for name in ("test_addon.py", "test_faults.py")
    )


def test_every_fault_names_tests_that_are_there() -> None:
    rows, run = _rows(), _run_by_tests()
    assert list(rows) == list(range(1, 47))
    for number, names in rows.items():
        assert names, f"fault {number} has no test"
        for name in names:
            file, _, function = name.partition("::")
            if function:
                assert function in _functions(file), f"fault {number}: there is no {name}"
            else:
                assert (SCRIPTS / file).is_file(), f"fault {number}: there is no script {file}"
                assert f'"{file}"' in run, f"fault {number}: no test runs {file}"


def test_every_script_of_faults_is_on_the_page() -> None:
    named = {name for names in _rows().values() for name in names}
    # That of a Blender which is killed is run by the test of that name.
    for path in SCRIPTS.glob("faults_*.py"):
        assert path.name in named or path.name == "faults_killed.py", path.name
