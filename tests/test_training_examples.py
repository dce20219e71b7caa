"""Few assets: who is held out, how they become many examples, and that every system learns from one to eight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen3d_core import training
from gen3d_core.data import catalogue
from gen3d_core.data.augmentation import Augmentation
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadRequest
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import HasLatents, System, find_system
from gen3d_core.training import Plan, Variation
from gen3d_core.training.examples import FEW
from tests.training_toys import toy

pytestmark = pytest.mark.usefixtures("accelerator_anew")

SMALL: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "voxels.vae": ({"channels": [4, 8, 8, 8], "hidden": 16, "latent": 4, "components": 6}, {"vae": 4}),
    "voxels.gan3d": ({"generator": [4, 4], "discriminator": [2, 4], "latent": 3}, {"gan": 3}),
    "fields.gridgan": (
        {
            **{"resolution": 16, "cells": 8, "channels": 3, "width": 4, "hidden": 16, "latent": 5, "components": 6},
            **{"generator": [4, 4], "critic": [2, 2, 4], "points": 64},
        },
        {"autoencoder": 3, "space": 3, "gan": 2},
    ),
}


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (7, 0), (8, 1), (10, 2), (20, 3), (40, 6), (200, 30)])
def test_about_fifteen_percent_are_held_out_from_eight_on(count: int, held_out: int) -> None:
    learnt, unseen = training.split(count, seed=3)
    assert len(unseen) == held_out
    assert sorted(learnt + unseen) == list(range(count))
    assert (learnt, unseen) == training.split(count, seed=3)
    if held_out > 1:
        assert unseen != training.split(count, seed=4)[1]


def solid(i: int) -> Solid:
    return Solid(catalogue.make("chair", i).mesh())


@pytest.mark.slow
def test_varied_assets_come_in_rounds_and_know_their_asset() -> None:
    system = find_system("voxels.vae").from_config(SMALL["voxels.vae"][0])
    assets = [solid(0), solid(1)]
    data = training.prepare(system, assets, Run([0]), Variation(Augmentation(), 7))
    assert data["asset"].tolist() == [0, 1, 0, 1, 0, 1, 0]
    plain = training.prepare(system, assets, Run([0]))
    assert torch.equal(data["voxels"][:2], plain["voxels"])
    same = [bool(torch.equal(data["voxels"][i], data["voxels"][i % 2])) for i in range(2, 7)]
    assert not any(same)
    # Variations of a chair are near that chair.
    near, far = (data["voxels"][i] for i in (0, 1))
    assert int((data["voxels"][2] != near).sum()) < int((data["voxels"][2] != far).sum())
    again = training.prepare(system, assets, Run([0]), Variation(Augmentation(), 7))
    assert torch.equal(again["voxels"], data["voxels"])


def test_time_for_variations_can_run_out() -> None:
    system = find_system("voxels.vae").from_config(SMALL["voxels.vae"][0])
    data = training.prepare(system, [solid(0)], Run([0]), Variation(Augmentation(), 1000, seconds=0.0))
    assert data["asset"].tolist() == [0]


def test_preparing_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        training.prepare(
            toy(), [solid(0)] * 3, Run([0], on_progress=lambda fraction: fraction < 0.5), Variation(Augmentation(), 9)
        )


def folder(tmp_path: Path, count: int) -> Path:
    place = tmp_path / "assets"
    place.mkdir()
    for i in range(count):
        mesh = catalogue.make("table", i).mesh()
        lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
        (place / f"table {i}.obj").write_text("\n".join(lines), encoding="utf-8")
    return place


@pytest.mark.slow
def test_a_folder_is_gathered_with_reasons(tmp_path: Path) -> None:
    place = folder(tmp_path, 8)
    (place / "broken.obj").write_text("nothing")
    found = training.gather(str(place), 2000, 0, Run([0]))
    assert (len(found.assets), len(found.held_out)) == (7, 1)
    assert len(found.names) == 8
    assert [name for name, _ in found.refused] == ["broken"]
    assert found.warnings == []
    few = training.gather(str(place), 4, 0, Run([0]))
    assert few.held_out == []
    assert list(few.warnings) == [FEW.format(count=len(few.assets), fewest=8)]


def test_nothing_that_can_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.obj").write_text("nothing")
    with pytest.raises(BadRequest, match=r"None of the 1 assets can be used\. broken: "):
        training.gather(str(tmp_path), 10, 0, Run([0]))


def test_a_catalogue_holds_out_other_seeds() -> None:
    found = training.gather("catalogue:chair", 5, 0, Run([0]))
    assert (len(found.assets), len(found.held_out), found.names) == (5, 40, ["catalogue:chair"])


@pytest.mark.parametrize("count", [1, *(pytest.param(count, marks=pytest.mark.slow) for count in (2, 3)), 8])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_system_learns_from_few_assets(tmp_path: Path, name: str, count: int) -> None:
    sizes, steps = SMALL[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = find_system(name).from_config(sizes)
    assets = [catalogue.make("chair", i) for i in range(count)]
    data = training.prepare(system, assets, Run([0]))
    training.train(system, data, tmp_path, Plan(device="cpu", steps=steps))
    assert isinstance(system, HasLatents)
    assert isinstance(system, System)
    z = system.prior(Run(range(12)))
    assert torch.isfinite(z).all()
    # No two samples are the same, and no component of the prior has closed on one code.
    distances = torch.cdist(z, z) + torch.eye(12) * 1e3
    assert float(distances.min()) > 1e-3
    assert np.isfinite([float(value.float().abs().max()) for value in system.state_dict().values()]).all()
