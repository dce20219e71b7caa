"""Coverage of real shapes: distances against brute force, radii and shares on shapes whose distances are known."""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from gen3d_core.commands import coverage as command
from gen3d_core.data import catalogue, coverage
from gen3d_core.data.coverage import Source, best_turn, chamfer_table, measure, shape_cells, surface_cells, traits
from gen3d_core.errors import BadRequest
from gen3d_core.metrics import chamfer

CELLS = 24
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def box_points(size: tuple[float, float, float], count: int = 6000, offset: float = 0.0) -> np.ndarray:
    """Points on the surface of a box."""
    random = np.random.default_rng(3)
    points = random.uniform(-0.5, 0.5, (count, 3))
    axis = random.integers(0, 3, count)
    points[np.arange(count), axis] = np.where(random.random(count) < 0.5, -0.5, 0.5)
    return points * np.array(size) + offset


@pytest.fixture(scope="module")
def chairs() -> list[catalogue.Shape]:
    return [catalogue.make("chair", seed) for seed in range(6)]


def pack(grids: np.ndarray) -> np.ndarray:
    return np.packbits(grids.reshape(len(grids), -1), axis=1)


def write_grids(path: Path, shapes: list[catalogue.Shape], turns: int = 0) -> None:
    """Chairs as packed grids in the layout of the real ones: first axis to the back, second to the left, third up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grids = np.stack([shape.voxels(32) for shape in shapes])
    grids = np.rot90(grids, turns, axes=(1, 2))
    np.savez(path, chair=pack(grids[:, ::-1].transpose(0, 2, 1, 3)))


def test_distances_are_those_of_the_metric_between_the_cells_centres(chairs: list[catalogue.Shape]) -> None:
    cells = [shape_cells(shape, CELLS) for shape in chairs[:3]]
    others = [surface_cells(shape.surface(2000)[0], CELLS) for shape in chairs[3:5]]
    table = chamfer_table(cells, others, CELLS)
    for i, a in enumerate(cells):
        for j, b in enumerate(others):
            scale = np.float32(0.9 / CELLS)
            assert table[i, j] == pytest.approx(chamfer(a * scale, b * scale), rel=1e-4)
    own = chamfer_table(cells, cells, CELLS)
    np.testing.assert_allclose(own, own.T)
    assert np.all(np.diag(own) == 0)


def test_size_and_place_do_not_count() -> None:
    first = surface_cells(box_points((1.0, 0.5, 0.25)), CELLS)
    second = surface_cells(box_points((1.0, 0.5, 0.25)) * 7 + 30, CELLS)
    assert np.array_equal(first, second)
    assert first.min() == 1
    assert first.max() == CELLS
    assert (np.ptp(first, axis=0) + 1).tolist() == [24, 12, 6]


def test_what_is_inside_a_closed_body_is_not_seen() -> None:
    outer = box_points((1.0, 1.0, 1.0), 60_000)
    inner = box_points((0.3, 0.3, 0.3), 5_000)
    assert np.array_equal(surface_cells(np.concatenate([outer, inner]), CELLS), surface_cells(outer, CELLS))


def test_cells_of_distances_agree_with_cells_of_points(chairs: list[catalogue.Shape]) -> None:
    for shape in chairs:
        points = surface_cells(shape.surface(30_000)[0], CELLS)
        distances = shape_cells(shape, CELLS)
        assert chamfer_table([points], [distances], CELLS)[0, 0] < 0.25 * (0.9 / CELLS) ** 2


def test_a_copy_is_covered_and_a_stranger_is_not(tmp_path: Path, chairs: list[catalogue.Shape]) -> None:
    source = Source("chairs", "chair", "grids.npz", "chair", 29)
    write_grids(tmp_path / "grids.npz", chairs)
    result, real = measure(source, tmp_path, chairs)
    assert result.real == len(real) == result.made == 6
    assert result.turn == 0
    assert result.strict == 1.0
    assert result.real_to_catalogue < 0.2 * result.strict_radius
    assert np.array_equal(result.distances.argmin(1), np.arange(6))
    strangers = [catalogue.make("table", seed) for seed in (2, 3)]
    far, _ = measure(source, tmp_path, strangers)
    assert far.strict < 0.4
    assert far.uncovered[0] == far.distances.min(1).argmax()
    assert sum(group.shapes for group in far.groups) == 4 * 6


def test_radii_are_medians_over_real_shapes(tmp_path: Path, chairs: list[catalogue.Shape]) -> None:
    source = Source("chairs", "chair", "grids.npz", "chair", 29)
    write_grids(tmp_path / "grids.npz", chairs)
    result, real = measure(source, tmp_path, chairs[:1])
    cells = [shape.cells for shape in real]
    between = chamfer_table(cells, cells, 29)
    pairs = between[np.triu_indices(6, 1)]
    nearest = [min(between[i, j] for j in range(6) if j != i) for i in range(6)]
    assert result.strict_radius == pytest.approx(np.median(nearest))
    assert result.loose_radius == pytest.approx(np.median(pairs))
    assert result.between_real == pytest.approx(np.mean(nearest))
    assert result.strict == pytest.approx(np.mean(result.distances[:, 0] <= result.strict_radius))


def test_one_turn_is_found_for_the_whole_set(tmp_path: Path, chairs: list[catalogue.Shape]) -> None:
    source = Source("chairs", "chair", "grids.npz", "chair", 29)
    straight = [shape_cells(shape, 29) for shape in chairs]
    assert best_turn(straight, straight, 29) == 0
    write_grids(tmp_path / "grids.npz", chairs, turns=1)
    result, real = measure(source, tmp_path, chairs)
    assert result.turn == 3
    assert result.strict == 1.0
    # Pictures are turned like the cells: the back of every chair is at +y.
    tall = [mesh.vertices[mesh.vertices[:, 2] > 0.3, 1].mean() for mesh in (shape.mesh() for shape in real)]
    assert np.mean(np.array(tall) > 0) > 0.6


def test_programs_are_read_from_the_archive_in_memory(tmp_path: Path) -> None:
    text = (
        "Assembly Program_0 {{\n bbox = Cuboid({0}, 0.5, 0.6, True)\n top = Cuboid({0}, 0.1, 0.6, True)\n"
        " leg = Cuboid(0.1, 0.4, 0.1, True)\n attach(top, bbox, 0.5, 1.0, 0.5, 0.5, 1.0, 0.5)\n"
        " squeeze(leg, bbox, top, bot, 0.1, 0.1)\n reflect(leg, X)\n reflect(leg, Z)\n}}\n"
    )
    (tmp_path / "shapeassembly").mkdir()
    with tarfile.open(tmp_path / "shapeassembly" / "table_train.tar.xz", "w:xz") as archive:
        for i in range(3):
            data = text.format(1.0 + 0.1 * i).encode()
            info = tarfile.TarInfo(f"table/{i}.txt")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (source,) = [s for s in coverage.SOURCES if s.category == "table" and not s.key]
    result, real = measure(source, tmp_path, [catalogue.make("table", seed) for seed in range(4)])
    assert result.real == 3
    assert result.made == 4
    assert real[0].mesh().vertices[:, 2].max() == pytest.approx(0.225)
    with pytest.raises(BadRequest, match="table_train"):
        measure(source, tmp_path / "nowhere", [catalogue.make("table", 0)])


def test_traits_are_measured_on_the_front_view() -> None:
    body = surface_cells(box_points((0.6, 0.4, 1.0), 20_000), CELLS)
    assert traits(body) == ["tall", "wide", "closed below", "closed above"]
    plate = box_points((1.0, 0.5, 0.1), 6000)
    posts = [box_points((0.06, 0.06, 0.3), 2000) + np.array([x, y, -0.2]) for x in (-0.45, 0.45) for y in (-0.2, 0.2)]
    table = surface_cells(np.concatenate([plate, *posts]), CELLS)
    assert traits(table) == ["low", "very wide", "open below", "half closed above"]


def test_the_command_prints_a_table_and_json(
    tmp_path: Path, chairs: list[catalogue.Shape], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_grids(tmp_path / "modelnet10" / "modelnet10_32.npz", chairs)
    monkeypatch.setattr(coverage, "SOURCES", (Source("chairs", "chair", coverage.MODELNET, "chair", 29),))
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = ["coverage", "--shared", str(tmp_path), "--categories", "chair", "--made", "6"]
    options = parser.parse_args(arguments)
    options.run(options)
    text = capsys.readouterr().out
    assert "| chairs | 6 | 6 |" in text
    assert "| 100% |" in text
    options = parser.parse_args([*arguments, "--json"])
    options.run(options)
    values = json.loads(capsys.readouterr().out)
    assert values[0]["strict"] == 1.0
    assert values[0]["category"] == "chair"
    options = parser.parse_args(["coverage", "--shared", str(tmp_path), "--categories", "boat"])
    with pytest.raises(BadRequest, match="boat"):
        options.run(options)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real shapes are not here")
def test_real_chairs_face_the_front_and_are_mostly_near_catalogue_chairs() -> None:
    source = coverage.SOURCES[0]
    result, _ = measure(source, SHARED, [catalogue.make("chair", seed) for seed in range(60)], 40)
    assert result.real == 40
    assert result.turn == 0
    assert result.loose > 0.8
