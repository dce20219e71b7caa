"""Cars of the catalogue: every kind stands on its wheels, is one solid that models can see, and looks ahead."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from skimage.measure import label

from gen3d_core.data.catalogue import Shape, car
from gen3d_core.data.catalogue.members import Draw, fit
from gen3d_core.data.catalogue.shape import generator


def drawn(seed: int) -> car.Car:
    return car.sample(Draw(generator("catalogue car", seed)))


def shaped(design: car.Car, seed: int = 0) -> Shape:
    fitted, parts = fit(design, car.LENGTHS, car.build)
    return Shape("car", seed, asdict(fitted), tuple(parts))


@pytest.fixture(scope="module")
def designs() -> list[car.Car]:
    return [drawn(seed) for seed in range(400)]


@pytest.fixture(scope="module")
def shapes(designs: list[car.Car]) -> list[Shape]:
    """Two of every kind, and a lorry with each load."""
    chosen = []
    for kind in car.KINDS:
        chosen += [design for design in designs if design.kind == kind][:2]
    chosen += [next(d for d in designs if d.load == load) for load in car.LOADS]
    return [shaped(design, seed) for seed, design in enumerate(chosen)]


def labels(shape: Shape) -> list[str]:
    return [part.label for part in shape.parts]


def test_all_kinds_loads_roofs_and_tails_are_drawn(designs: list[car.Car]) -> None:
    assert {design.kind for design in designs} == set(car.KINDS)
    assert {design.load for design in designs} == {"none", *car.LOADS}
    assert {design.roof for design in designs} == {"none", "sign", "rails", "lamps", "box"}
    assert {design.tail for design in designs} == {"none", "lip", "wing", "wheel"}
    assert {design.axles for design in designs} == {2, 3}
    assert {design.deck for design in designs} == {1, 2}


def test_every_value_is_documented() -> None:
    text = car.Car.__doc__ or ""
    assert all(field.name in text for field in fields(car.Car))
    assert set(car.LENGTHS) < {field.name for field in fields(car.Car)}


@pytest.mark.slow
def test_shapes_are_one_solid_nine_tenths_long(shapes: list[Shape]) -> None:
    for shape in shapes:
        low, high = shape.bounds()
        assert (high - low).max() == pytest.approx(0.9, abs=1e-6)
        grid = shape.sdf_grid(96, 0.05)
        assert np.asarray(label(grid < 0, connectivity=1)).max() == 1, shape.parameters


def test_members_are_thick_enough_and_meshes_lie_on_their_solids(shapes: list[Shape]) -> None:
    for shape in shapes:
        for part in shape.parts:
            assert part.solid.thickness >= 0.0435, (shape.parameters["kind"], part.name)
            off = np.abs(part.solid.sdf(part.solid.mesh().vertices))
            assert off.max() < 8e-3, (shape.parameters["kind"], part.name)
            assert np.quantile(off, 0.95) < 1e-3, (shape.parameters["kind"], part.name)


def test_cars_are_mirror_symmetric(shapes: list[Shape]) -> None:
    for shape in shapes:
        grid = shape.sdf_grid(32)
        np.testing.assert_allclose(grid, grid[::-1], atol=1e-5)


def test_cars_stand_on_all_their_wheels(shapes: list[Shape]) -> None:
    for shape in shapes:
        ground = shape.bounds()[0, 2]
        wheels = [part.solid.bounds() for part in shape.parts if part.label == "wheel"]
        assert len(wheels) == 2 * int(shape.parameters["axles"])
        np.testing.assert_allclose([box[0, 2] for box in wheels], ground, atol=1e-6)
        rest = [part.solid.bounds()[0, 2] for part in shape.parts if part.label != "wheel"]
        assert min(rest) > ground + 0.01, shape.parameters["kind"]


def test_the_bonnet_points_to_the_front(designs: list[car.Car]) -> None:
    for kind in ("sedan", "hatchback", "estate", "offroader", "pickup", "vintage"):
        shape = shaped(next(design for design in designs if design.kind == kind))
        solid = shape.voxels(48).any(0)
        tops = [int(np.flatnonzero(column).max()) for column in solid if column.any()]
        assert max(tops[3:8]) < max(tops) - 3, kind
        lamps = [part.solid.bounds().mean(0)[1] for part in shape.parts if part.label == "light"]
        assert len(lamps) == 2
        assert max(lamps) < -0.3, kind


def test_what_a_design_names_is_there(shapes: list[Shape]) -> None:
    loads = {"box": "box", "tank": "tank", "open": "headboard", "logs": "log", "tipper": "heap", "mixer": "drum"}
    roofs = {"sign": "roof sign", "rails": "rail", "lamps": "lamps", "box": "roof box"}
    for shape in shapes:
        found, values = labels(shape), shape.parameters
        for load, part in loads.items():
            assert (values["load"] == load) == (part in found)
        for roof, part in roofs.items():
            assert (values["roof"] == roof) == (part in found)
        assert (values["tail"] in ("lip", "wing")) == ("spoiler" in found)
        assert (values["tail"] == "wheel") == ("spare wheel" in found)
        assert (values["kind"] == "convertible") == ("seat" in found)
        assert (values["kind"] == "racer") == ("driver" in found)
        assert len({part.name for part in shape.parts}) == len(shape.parts)


def test_a_pickup_has_an_open_bed_and_a_convertible_a_cockpit(designs: list[car.Car]) -> None:
    for kind, share in (("pickup", 0.9), ("convertible", 0.52)):
        shape = shaped(next(design for design in designs if design.kind == kind))
        values = shape.parameters
        y = (share - 0.5) * float(values["length"])
        belt = shape.bounds()[0, 2] + float(values["belt"])
        above = np.array([[0.0, y, belt - 0.012]], np.float32)
        beside = np.array([[float(values["width"]) / 2 - 0.022, y, belt - 0.02]], np.float32)
        assert shape.sdf(above)[0] > 0.01, kind
        assert shape.sdf(beside)[0] < 0, kind


def test_designs_depend_on_the_seed_alone() -> None:
    assert drawn(7) == drawn(7)
    assert len({str(drawn(seed)) for seed in range(50)}) == 50
    first, second = shaped(drawn(3)), shaped(drawn(3))
    assert np.array_equal(first.sdf_grid(24), second.sdf_grid(24))


def test_fitting_scales_lengths_and_keeps_the_tyres() -> None:
    design = drawn(5)
    small, _ = fit(design, car.LENGTHS, car.build)
    large, _ = fit(
        replace(design, **{name: 1.3 * getattr(design, name) for name in car.LENGTHS}), car.LENGTHS, car.build
    )
    assert large.length == pytest.approx(small.length, rel=1e-3)
    assert large.tyre == small.tyre == design.tyre
