"""Draws what the voxel models make of texts and of views: docs/furniture-text.png and docs/furniture-views.png.

python docs/sheets.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gen3d_core import cards, tasks, zoo  # noqa: E402
from gen3d_core.data import catalogue, views  # noqa: E402
from gen3d_core.errors import EmptyShape  # noqa: E402
from gen3d_core.preview import save_png, sheet  # noqa: E402
from gen3d_core.representations import Mesh, MeshOptions  # noqa: E402
from gen3d_core.run import Run  # noqa: E402
from gen3d_core.uses import hypotheses  # noqa: E402

TEXTS = (
    "a round table with four legs",
    "a wide low table",
    "a tall stool with a pedestal",
    "an armchair with four legs",
    "a round table with a pedestal",
    "a low table with a shelf",
)
#: Unseen shapes that one camera looks at.
SEEN = (("chair", 1_000_003), ("table", 1_000_001), ("chair", 1_000_008))
OPTIONS = MeshOptions(64, 0.02)


def texts() -> Iterator[Mesh]:
    """Row by row, five shapes a text."""
    system = zoo.load(cards.find("furniture-autosdf"))
    for text in TEXTS:
        for shape in tasks.from_text(system, text, Run(range(1, 6))):
            yield shape.representation.to_mesh(OPTIONS)


def seen() -> Iterator[Mesh]:
    """Row by row: the shape, what the camera sees of it, and four completions."""
    system = zoo.load(cards.find("furniture-shapenets"))
    for category, seed in SEEN:
        asset = catalogue.make(category, seed)
        given, known = hypotheses.seen_by_a_camera(asset)
        yield views.assembled(asset).mesh
        yield given.mesh
        for shape in tasks.complete(system, given, torch.as_tensor(known), Run(range(1, 5))):
            try:
                yield shape.representation.to_mesh(OPTIONS)
            except EmptyShape:
                yield given.mesh


if __name__ == "__main__":
    save_png(ROOT / "docs" / "furniture-text.png", sheet(list(texts()), 5, 170))
    save_png(ROOT / "docs" / "furniture-views.png", sheet(list(seen()), 6, 170))
