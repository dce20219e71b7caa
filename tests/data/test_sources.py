"""Where training data comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from gen3d_core.data import catalogue, sources
from gen3d_core.data.catalogue import Shape  # type: ignore[attr-defined]
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadMesh, BadRequest


def identities(source: str, count: int, first: int = 0) -> list[tuple[str, int]]:
    return [(s.category, s.seed) for s in sources.load(source, count, first) if isinstance(s, Shape)]


def test_a_category_gives_its_seeds_in_order() -> None:
    assert identities("catalogue:chair", 3, 5) == [("chair", 5), ("chair", 6), ("chair", 7)]


def test_categories_share_the_count() -> None:
    found = identities("catalogue:chair,table", 5)
    assert found == [("chair", 0), ("chair", 1), ("chair", 2), ("table", 0), ("table", 1)]


def test_an_asset_is_the_catalogues_shape() -> None:
    (asset,) = sources.load("catalogue:table", 1, 4)
    assert np.array_equal(asset.voxels(16), catalogue.make("table", 4).voxels(16))


@pytest.mark.parametrize("source", ["catalogue:boat", "catalogue:", "catalogue:chair,boat", "nowhere", ""])
def test_sources_that_are_not_there_are_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadRequest):
        sources.load(source, 2)


@pytest.mark.parametrize("count", [0, -3])
def test_at_least_one_shape_has_to_be_asked_for(count: int) -> None:
    with pytest.raises(BadRequest, match="at least 1"):
        sources.load("catalogue:chair", count)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    for name, height in (("b.stl", 1.0), ("a.ply", 2.0), ("deeper/c.OBJ", 3.0)):
        shape = trimesh.creation.box(extents=(1, 1, height))
        (tmp_path / name).write_bytes(b"")
        shape.export(tmp_path / name, file_type=name[-3:].lower())
    (tmp_path / "notes.txt").write_text("not a mesh")
    return tmp_path


def longest(asset: object) -> float:
    """Ratio of the sides of a box."""
    assert isinstance(asset, Solid)
    sides = np.ptp(asset.mesh.vertices, axis=0)
    return float(sides.max() / sides.min())


def test_a_folder_gives_its_meshes_by_name_fitted(folder: Path) -> None:
    assets = sources.load(str(folder), 10)
    assert [longest(asset) for asset in assets] == pytest.approx([2, 1, 3])
    for asset in assets:
        assert isinstance(asset, Solid)
        assert np.ptp(asset.mesh.vertices, axis=0).max() == pytest.approx(0.9)


def test_a_part_of_a_folder(folder: Path) -> None:
    assert [longest(asset) for asset in sources.load(str(folder), 1, 1)] == pytest.approx([1])


def test_a_folder_without_meshes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a mesh")
    with pytest.raises(BadRequest, match="holds no meshes"):
        sources.load(str(tmp_path), 3)


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "a.ply").write_bytes(b"ply\n")
    with pytest.raises(BadMesh, match=r"a\.ply"):
        sources.load(str(folder), 3)
