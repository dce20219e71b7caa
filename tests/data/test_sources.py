"""Where training data comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from gen3d_core.data import catalogue, sources
from gen3d_core.data.catalogue import Shape  # type: ignore[attr-defined]
from gen3d_core.data.grids import Grid
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
    with pytest.raises(BadMesh, match=r"^a: "):
        sources.load(str(folder), 3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN3D_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_what_cannot_be_read_costs_only_itself(folder: Path) -> None:
    (folder / "a.ply").write_bytes(b"ply\n")
    found = sources.prepared(str(folder), 10)
    assert found.names == ["b", "deeper/c"]
    assert [longest(asset) for asset in found.assets] == pytest.approx([1, 3])
    ((name, problem),) = found.refused
    assert name == "a"
    assert problem.endswith(".")


def test_repairs_are_told_by_name(folder: Path) -> None:
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    sheet.export(folder / "sheet.stl")
    ((name, notes),) = sources.prepared(str(folder), 10).notes
    assert name == "sheet"
    assert notes == ["open sheets thickened (100% of the surface)"]


def test_a_catalogue_has_names_too() -> None:
    assert sources.prepared("catalogue:chair,table", 3).names == ["chair 0", "chair 1", "table 0"]


def test_a_single_file_is_a_source(folder: Path) -> None:
    assert [longest(asset) for asset in sources.load(str(folder / "a.ply"), 5)] == pytest.approx([2])


def test_a_start_beyond_the_end_is_refused(folder: Path) -> None:
    with pytest.raises(BadRequest, match="number 3"):
        sources.load(str(folder), 2, 3)


def test_packed_grids_are_a_source(tmp_path: Path) -> None:
    cells = np.zeros((3, 16, 16, 16), bool)
    for i in range(3):
        cells[i, 4 : 6 + i, 3:9, 2:12] = True
    rows = np.stack([np.packbits(one) for one in cells])
    np.savez(tmp_path / "grids.npz", chair=rows)
    found = sources.prepared(f"{tmp_path / 'grids.npz'}:chair", 5, 1)
    assert found.names == ["chair 1", "chair 2"]
    assert all(isinstance(asset, Grid) for asset in found.assets)
    assert [asset.voxels(16).sum() for asset in found.assets] == [cells[1].sum(), cells[2].sum()]
    with pytest.raises(BadRequest, match="no array 'sofa'"):
        sources.load(f"{tmp_path / 'grids.npz'}:sofa", 5)
