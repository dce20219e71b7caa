"""Measures what the shape sliders of the models do, for docs/sliders.md, and draws docs/sliders.png.

python docs/sliders.py [MODEL ...]      measures these models anew, or all; the sections of others stay
python docs/sliders.py --sheet          draws the sheet
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gen3d_core import cards, direction_files, directions, zoo  # noqa: E402
from gen3d_core.cards import Card  # noqa: E402
from gen3d_core.errors import EmptyShape  # noqa: E402
from gen3d_core.preview import sheet  # noqa: E402
from gen3d_core.representations import Mesh, MeshOptions  # noqa: E402
from gen3d_core.run import Run  # noqa: E402
from gen3d_core.system import HasLatents  # noqa: E402

PAGE, SHEET = ROOT / "docs" / "sliders.md", ROOT / "docs" / "sliders.png"
#: Unseen shapes that each slider moves.
COUNT = 48
#: The sheet: a model, four of its sliders, the seed of the shape, and positions in shares of the limits.
SHOWN, SLIDERS, SEED = "chair-gridgan", 4, 1
POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)
#: Where the tables begin; what is above it is written by hand.
BEGIN = "<!-- tables -->\n"


def section(card: Card) -> str:
    """What the sliders of a model do, as a section of the page."""
    found = direction_files.read(card)
    assert found is not None
    verdict = directions.check(zoo.load(card), found, Run([0]), COUNT)
    lines = [f"## {card.id}", "", *directions.table(found.names, verdict.effects), ""]
    lines += ["| slider | a step | limits | own effect | largest leak | sound at the limits |", "|---" * 6 + "|"]
    for name, low, high in zip(found.names, found.low, found.high, strict=True):
        own = f"{verdict.own[name]:.2f}" if name in verdict.own else ""
        leak = "{}, {:+.2f}".format(*verdict.leaks[name]) if name in verdict.leaks else ""
        step = f"{found.units[name]:.3f}" if name in verdict.own else ""
        lines.append(f"| {name} | {step} | {low:+.1f} to {high:+.1f} | {own} | {leak} | {verdict.sound[name]:.0%} |")
    refused = "; ".join(f"{name} ({reason})" for name, reason in found.refused.items())
    return "\n".join([*lines, "", f"Not offered: {refused}." if refused else "", ""])


def drawn() -> Iterator[Mesh]:
    """Row by row, a slider from limit to limit."""
    card = cards.find(SHOWN)
    system, found = zoo.load(card), direction_files.read(card)
    assert found is not None
    assert isinstance(system, HasLatents)
    latent = system.prior(Run([SEED]))
    for vector, low, high in list(zip(found.vectors, found.low, found.high, strict=True))[:SLIDERS]:
        for place in POSITIONS:
            z = latent.clone()
            z[:, : len(vector)] += abs(place) * (high if place > 0 else low) * torch.as_tensor(vector)
            (shape,) = system.decode(z, Run([SEED]))
            try:
                yield shape.to_mesh(MeshOptions(64, 0.02))
            except EmptyShape:
                raise SystemExit(f"Nothing is left at {place} of a slider.") from None


def main(names: list[str]) -> None:
    """See the module."""
    if names == ["--sheet"]:
        picture = Image.fromarray(sheet(list(drawn()), len(POSITIONS), 150, one_scale=True))
        picture.quantize(256).save(SHEET, optimize=True)
        return
    given = [card for card in cards.listing() if direction_files.read(card) is not None]
    new = {card.id: section(card) for card in given if card.id in names or not names}
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    old = {part.split("\n", 1)[0]: f"## {part}" for part in re.split(r"^## ", rest, flags=re.MULTILINE)[1:]}
    every = {**old, **new}
    order = [card.id for card in given if card.id in every]
    PAGE.write_text(head + BEGIN + "\n" + "\n".join(every[name].strip() + "\n" for name in order), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
