"""The page of the voxel models is what its generator writes from the cards."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gen3d_core import cards

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("voxels_page", ROOT / "docs" / "voxels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_cards_say(generator: ModuleType) -> None:
    written = (ROOT / "docs" / "voxels.md").read_text(encoding="utf-8")
    assert written == generator.page(generator.bundled()), "run python docs/voxels.py"


def score(model: float, floors: dict[str, float], unit: str = "plain", **ceiling: float) -> dict[str, Any]:
    return {"model": model, "floors": floors, "unit": unit, "lower": False, "ceiling": ceiling}


def card(identity: str, system: str, metrics: dict[str, Any]) -> cards.Card:
    return cards.Card(identity, system, "A title", "Voxels", [], "CC0-1.0", "3000 shapes", {}, "", metrics=metrics)


MEASURED = {
    "command": "gen3d evaluate toy",
    "scores": {
        "floor": {"one_nna": {"mean": 0.5, "sd": 0.01}, "coverage": {"mean": 0.6, "sd": 0.0}},
        "model": {
            "one_nna": {"mean": 0.625, "sd": 0.025},
            "coverage": {"mean": 0.41, "sd": 0.0},
            "mmd": {"mean": 0.02, "sd": 0.0},
        },
        "ceiling": {"mmd": {"mean": 0.08, "sd": 0.0}},
    },
    "gates": [{"name": "COV", "limit": "> 30%", "measured": "41.0%", "met": True}],
    "uses": {
        "completion": {
            "scores": {
                "IoU of hidden cells, all": score(0.61, {"mirrored": 0.11, "nearest training shape": 0.31}),
                "IoU of hidden cells, best of 3": score(0.71, {}),
                "given cells that were changed": score(0.0, {}, "share"),
                "UHD": score(0.0123, {}, "thousandth"),
            },
            "gates": [{"name": "completion: IoU", "limit": "> 0.310", "measured": "0.610", "met": True}],
        },
        "images": {
            "scores": {"IoU from 1 picture": score(0.5, {"nearest training shape": 0.4, "mean shape": 0.2})},
            "gates": [],
        },
        "text": {
            "scores": {"legs": score(0.7, {"other texts' shapes": 0.5}, "share", **{"true shapes": 0.97})},
            "gates": [{"name": "text: asked", "limit": "> 80.0%", "measured": "70.0%", "met": False}],
        },
    },
}


def test_every_number_has_its_place(generator: ModuleType) -> None:
    text = generator.page([card("toy", "voxels.toy", {"evaluation": MEASURED})])
    for line in (
        "| toy | 50.0% | 62.5% ± 2.5% | 0.25 | 60.0% | 41.0% |",
        "| toy | 0.110 | 0.310 | 0.610 | 0.710 | 0.0% | 12.30 |  |  |",
        "| toy | 1 picture | 0.200 | 0.400 | 0.500 |",
        "| toy | legs | other texts' shapes 50.0% | 70.0% | true shapes 97.0% |",
        "| toy | text: asked | > 80.0% | 70.0% | **not met** |",
        "| toy | COV | > 30% | 41.0% | met |",
        "    gen3d evaluate toy",
    ):
        assert line in text.splitlines(), line
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5
    assert all(len({line.count("|") for line in lines}) == 1 for lines in tables)


def test_other_shelves_and_models_without_numbers_are_passed_over(generator: ModuleType) -> None:
    toy = card("toy", "voxels.toy", {"evaluation": MEASURED})
    others = [replace(toy, id="field", system="fields.toy"), replace(toy, id="new", metrics={})]
    assert generator.page([toy, *others]) == generator.page([toy])
    assert generator.page(others).splitlines()[0] == generator.page([toy]).splitlines()[0]
