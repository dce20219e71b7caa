"""Imports point one way: the house stands as drawn."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "gen3d_core"

#: From the ground up; a module imports from its own layer or from those before it, except among systems.
LAYERS = [
    {"errors"},
    {"representations", "run", "runs", "protocol", "cards", "memory"},
    {"nn", "families", "data", "metrics", "preview"},
    {"system"},
    {"systems"},
    {"tasks", "training", "zoo", "novelty", "ranking", "fewshot", "measure", "dimensions"},
    {"effects", "slopes", "jacobian", "directions", "direction_files"},
    {"evaluation", "uses"},
    {"worker", "commands"},
    {"__main__"},
]


def layer_of(name: str) -> int:
    """The number of a module's layer."""
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    raise AssertionError(f"{name} has no place in the house: add it to LAYERS")


def top_level_imports(path: Path) -> list[tuple[str, ...]]:
    """What a file imports from the engine while it runs, as paths inside it; typing-only imports do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    package = path.relative_to(ENGINE).with_suffix("").parts
    found: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level]
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                found.append((*base, *module, alias.name))
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(name.split(".")[0] == "gen3d_core" for name in names), f"{path} imports itself absolutely"
    return found


MODULES = sorted(ENGINE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ENGINE)))
def test_imports_point_down(path: Path) -> None:
    here = path.relative_to(ENGINE).with_suffix("").parts
    if here == ("__init__",):
        return
    for target in top_level_imports(path):
        if target[0] not in set().union(*LAYERS):
            continue  # a name of the engine's own __init__
        if target[0] == "systems" and here[0] == "system":
            continue  # discovery walks the shelves
        assert layer_of(target[0]) <= layer_of(here[0]), f"{'/'.join(here)} imports {'.'.join(target)}"
        if here[0] == "systems" and target[0] == "systems":
            raise AssertionError(f"systems never import one another: {'/'.join(here)} imports {'.'.join(target)}")


def test_no_bpy_in_the_engine() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"bpy", "mathutils", "bmesh"}, path


def test_blender_side_does_not_import_torch() -> None:
    """What Blender imports of the engine pulls in neither torch nor anything that is not bundled with Blender."""
    code = (
        "import sys; import gen3d_core.protocol, gen3d_core.cards; gen3d_core.cards.listing();"
        "print(*sorted({'torch', 'scipy', 'skimage', 'trimesh', 'igl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_the_addon_imports_only_protocol_cards_and_errors() -> None:
    allowed = {"protocol", "cards", "errors", "runs", "__version__"}
    for path in (ROOT / "blender_addon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gen3d_core":
                names = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                assert set(names) <= allowed, f"{path.name} imports {names}"
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & {
                    "torch",
                    "threading",
                    "multiprocessing",
                }
