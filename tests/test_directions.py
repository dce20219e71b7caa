"""Shape sliders: directions that are known are found again, what cannot be predicted is not offered."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gen3d_core import cards, dimensions, direction_files, directions, effects, zoo
from gen3d_core.__main__ import main
from gen3d_core.effects import Measured
from gen3d_core.errors import EmptyShape, Unsupported
from gen3d_core.jacobian import Jacobian, fixed
from gen3d_core.representations import Field, Voxels
from gen3d_core.run import Run
from gen3d_core.slopes import Samples, regressed
from gen3d_core.system import lerp
from gen3d_core.systems.voxels.vae import VoxelVAE
from tests.bare import Bare

SIZE = 12


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def drawn(count: int = 200, seed: int = 0) -> np.ndarray:
    """Standard normal latents."""
    return np.random.default_rng(seed).normal(size=(count, SIZE))


def axis(*entries: float) -> np.ndarray:
    return np.array([*entries, *[0.0] * (SIZE - len(entries))])


def measured(count: int, attributes: dict[str, np.ndarray]) -> Measured:
    """Shapes with these attributes; others have none."""
    nothing = np.full(count, np.nan)
    return Measured(np.stack([attributes.get(name, nothing) for name in dimensions.NAMES], axis=1), np.ones(count))


def samples(latents: np.ndarray, attributes: dict[str, np.ndarray]) -> Samples:
    return Samples.of(latents, measured(len(latents), attributes))


# Samples --------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_predicted_is_refused_with_the_reason() -> None:
    latents = drawn()
    random = np.random.default_rng(2)
    found = samples(
        latents,
        {
            "Height": latents[:, 0],
            "Width": random.normal(size=len(latents)),
            "Depth": np.ones(len(latents)),
            "Fullness": latents[:, 1] ** 2,
            "Leg Thickness": np.where(np.arange(len(latents)) < 20, latents[:, 2], np.nan),
        },
    )
    assert set(found.scores) == {"Height"}
    assert found.refused["Width"].startswith("not predicted, R^2")
    assert found.refused["Depth"] == "all alike"
    assert found.refused["Leg Thickness"] == "20 of 200 samples have it"
    assert found.refused["Back Height"] == "0 of 200 samples have it"


def test_the_score_is_that_of_unseen_samples() -> None:
    """As many numbers as samples explain anything that was seen: an honest score says that nothing was learned."""
    random = np.random.default_rng(3)
    latents = random.normal(size=(100, 90))
    assert regressed(latents, random.normal(size=100))[1] < 0.15
    # The share of half signal, half noise is found within what fifty unseen samples tell.
    latents = drawn(400, 4)
    assert 0.3 < regressed(latents, latents[:, 0] + np.random.default_rng(5).normal(size=400))[1] < 0.65


def test_what_tells_kinds_apart_does_not_count() -> None:
    """Chairs are higher than tables, and a number says which is which; within a kind another one is the height."""
    latents = drawn(300)
    chair = np.arange(300) % 2 == 0
    latents[:, 0] += np.where(chair, 6, -6)
    back = np.where(chair, 0.3 + 0.1 * latents[:, 2], np.nan)
    found = samples(latents, {"Height": 5.0 * chair + 0.1 * latents[:, 1], "Back Height": back})
    height = found.weights[dimensions.NAMES.index("Height")]
    assert found.units[dimensions.NAMES.index("Height")] == pytest.approx(0.1, rel=0.1)
    assert cosine(height, axis(0, 1)) > 0.99
    assert found.units[dimensions.NAMES.index("Leg Thickness")] == 0


def test_samples_without_a_surface_are_told() -> None:
    nothing = measured(100, {"Height": np.ones(100)})
    with pytest.raises(EmptyShape, match="Only 30 of 100 samples"):
        Samples.of(drawn(100), replace(nothing, whole=(np.arange(100) < 30).astype(float)))


# Moves ----------------------------------------------------------------------------------------------------------------


def jacobian_of(rows: dict[str, np.ndarray], noise: float = 0.0) -> Jacobian:
    """The Jacobian of random moves that change attributes as these rows say."""
    moves = drawn(400, 7)
    changes = np.full((len(moves), len(dimensions.NAMES)), np.nan)
    random = np.random.default_rng(8)
    for name, row in rows.items():
        changes[:, dimensions.NAMES.index(name)] = moves @ row + noise * random.normal(size=len(moves))
    return Jacobian.of(moves, changes)


def test_known_directions_are_found_and_leave_each_other_alone() -> None:
    latents = drawn()
    tall, wide = axis(1, 0.5), axis(0.5, 1)
    known = samples(latents, {"Height": latents @ tall, "Width": latents @ wide})
    chosen = jacobian_of({"Height": tall, "Width": wide}, 0.3).chosen(known)
    assert [dimensions.NAMES[i] for i in chosen.targets] == ["Height", "Width"]
    # Their own gradients are alike, cosine 0.8; each direction has to leave the other attribute as it is.
    changed = np.stack([tall, wide]) @ chosen.rows.T
    assert np.allclose(changed, np.eye(2), atol=0.06)
    conditional = tall - wide * (tall @ wide) / (wide @ wide)
    assert cosine(chosen.rows[0], conditional) > 0.95


def test_two_names_of_one_thing_become_one_slider() -> None:
    latents = drawn()
    noise = 0.02 * np.random.default_rng(1).normal(size=len(latents))
    known = samples(latents, {"Height": latents[:, 0], "Width": latents[:, 0] + noise, "Depth": latents[:, 1]})
    chosen = jacobian_of({"Height": axis(1), "Width": axis(1), "Depth": axis(0, 1)}).chosen(known)
    assert [dimensions.NAMES[i] for i in chosen.targets] == ["Height", "Depth"]
    assert chosen.merged == {1: 0}


def test_parts_may_change_with_the_whole_but_not_with_one_another() -> None:
    height, seat, back = (dimensions.NAMES.index(name) for name in ("Height", "Seat Height", "Back Height"))
    assert seat not in fixed(height, [height, seat, back])
    assert height not in fixed(seat, [height, seat, back])
    assert fixed(seat, [height, seat, back]) == [back]


# Shapes ---------------------------------------------------------------------------------------------------------------


def box(width: float, depth: float, height: float, bottom: float = -0.4) -> Field:
    half = torch.tensor([width, depth, height]) / 2
    centre = torch.tensor([0, 0, bottom + height / 2])

    def distance(points: Tensor) -> Tensor:
        q = (points - centre).abs() - half
        return q.clamp_min(0).norm(dim=1) + q.max(dim=1).values.clamp_max(0)

    return Field(distance)


def union(*fields: Field) -> Field:
    return Field(lambda points: torch.stack([field.distance(points) for field in fields]).min(0).values)


def moved(field: Field, *by: float) -> Field:
    return Field(lambda points: field.distance(points - torch.tensor(by)))


def chair(seat: float = 0.4, back: float = 0.35, leg: float = 0.08) -> Field:
    plate = box(0.5, 0.5, 0.07, -0.4 + seat - 0.07)
    legs = [moved(box(leg, leg, seat - 0.03), x, y, 0) for x in (-0.19, 0.19) for y in (-0.19, 0.19)]
    return union(plate, *legs, moved(box(0.5, 0.06, back, -0.4 + seat - 0.02), 0, 0.22, 0))


def test_lengths_of_a_chair() -> None:
    found = dimensions.measured(dimensions.coverage(chair()))
    cell = 1 / dimensions.RESOLUTION
    expected = {"Height": 0.73, "Width": 0.5, "Depth": 0.5, "Seat Height": 0.4, "Back Height": 0.33}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.7 * cell), name
    assert found["Leg Thickness"] == pytest.approx(0.08, abs=0.5 * cell)
    assert found["Top Thickness"] == pytest.approx(0.07, abs=cell)
    assert found["Rounded Corners"] < 0.3


def test_lengths_move_with_the_shape_by_less_than_a_cell() -> None:
    heights = [dimensions.measured(dimensions.coverage(chair(seat=0.4 + 0.004 * i)))["Seat Height"] for i in range(8)]
    assert all(a < b for a, b in pairwise(heights))
    legs = [dimensions.measured(dimensions.coverage(chair(leg=0.07 + 0.004 * i)))["Leg Thickness"] for i in range(8)]
    assert all(a < b for a, b in pairwise(legs))


def test_what_a_shape_does_not_have_is_no_number() -> None:
    found = dimensions.measured(dimensions.coverage(box(0.6, 0.4, 0.3)))
    assert np.isnan(found["Leg Thickness"])
    assert np.isnan(found["Back Height"])
    assert found["Fullness"] == pytest.approx(1, abs=0.1)
    with pytest.raises(EmptyShape, match="Nothing lies inside"):
        dimensions.measured(np.zeros((8, 8, 8), dtype=np.float32))


def test_grids_and_fields_are_measured_alike() -> None:
    field = chair()
    dense = field.dense(dimensions.RESOLUTION)
    grid = Voxels((0.4 - dense * dimensions.RESOLUTION * 0.8).clamp(0, 1), 0.4)
    one, two = (dimensions.measured(dimensions.coverage(shape)) for shape in (field, grid))
    assert one["Height"] == pytest.approx(two["Height"], abs=0.01)
    assert one["Seat Height"] == pytest.approx(two["Seat Height"], abs=0.02)


# Models ---------------------------------------------------------------------------------------------------------------


class Boxes(Bare):
    """Boxes whose latents mislead: their first two numbers go together, but the second alone is the height.

    The width saturates, so that it moves by less than it is predicted to, and drags the height along.
    """

    output = Voxels

    def prior(self, run: Run) -> Tensor:
        z = run.randn(6)
        z[:, 0] = 0.9 * z[:, 1] + 0.4 * z[:, 0]
        return z

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        return [self.box(*one.tolist()) for one in z]

    def box(self, _: float, tall: float, __: float, deep: float, wide: float, ___: float) -> Voxels:
        width = 0.5 + 0.12 * np.tanh(wide / 1.5)
        sides = (width, 0.5 + 0.04 * deep, 0.5 + 0.06 * tall + 0.5 * (width - 0.5))
        edges = np.arange(32) + 0.5
        # How much of each cell along an axis lies inside, from the middle of the grid on.
        x, y, z = (np.clip(16 * side + 0.5 - np.abs(edges - 16), 0, 1) for side in sides)
        return Voxels(torch.as_tensor(x[:, None, None] * y[:, None] * z, dtype=torch.float32), 0.5)

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)


@pytest.fixture(scope="module")
def found() -> directions.Directions:
    return directions.find(Boxes(), Run([0]), 48)


@pytest.mark.slow
def test_a_step_does_what_it_says(found: directions.Directions) -> None:
    assert {"Height", "Width", "Depth"} <= set(found.names)
    verdict = directions.check(Boxes(), found, Run([0]), 16)
    # How much wider a box gets depends on how wide it is, so one set of boxes and another one differ.
    for name, tolerance in (("Height", 0.05), ("Width", 0.15), ("Depth", 0.05)):
        assert verdict.own[name] == pytest.approx(1, abs=tolerance), name
        assert abs(verdict.leaks[name][1]) < 0.12, verdict.leaks[name]
        assert verdict.sound[name] == 1
    # Independently of all that: the middle box, a step higher.
    step = np.zeros(6)
    vector = found.vectors[found.names.index("Height")]
    step[: len(vector)] = vector
    before, after = (dimensions.measured(dimensions.coverage(Boxes().box(*z))) for z in (0 * step, step))
    assert after["Height"] - before["Height"] == pytest.approx(found.units["Height"], rel=0.1)
    assert found.units["Height"] == pytest.approx(0.065, rel=0.2)
    assert after["Width"] == pytest.approx(before["Width"], abs=0.005)


def test_a_decoder_that_does_less_than_was_predicted_is_calibrated(found: directions.Directions) -> None:
    """What latents predict, and what moving them along the prediction does, are two things."""
    wide = found.vectors[found.names.index("Width")].astype(float)
    # The regression's slope is that of the middle, where tanh is steepest; a step has to go farther than there.
    assert wide[4] * 0.12 / 1.5 > 1.05 * found.units["Width"]
    # The number that only goes together with the height is not needed to change it.
    tall = found.vectors[found.names.index("Height")].astype(float)
    assert tall[1] * 0.06 == pytest.approx(found.units["Height"], rel=0.1)


def test_what_is_missing_or_alike_is_not_offered(found: directions.Directions) -> None:
    assert found.refused["Leg Thickness"] == "0 of 48 samples have it"
    assert found.refused["Seat Height"] == "goes with Height"
    text = directions.text(found)
    assert "goes with Height" in text
    assert "| Height | **1.00** |" in text


def test_limits_are_inside_what_was_looked_at(found: directions.Directions) -> None:
    for name, low, high in zip(found.names, found.low, found.high, strict=True):
        if not name.startswith("Variation"):
            assert -directions.MOST <= low < 0 < high <= directions.MOST, name


@pytest.mark.slow
def test_the_same_weights_give_the_same_directions(found: directions.Directions) -> None:
    again = directions.find(Boxes(), Run([5]), 48)
    assert np.array_equal(found.vectors, again.vectors)
    assert found.values() == again.values()


class Brittle(Boxes):
    """Boxes that come apart where the depth leaves the middle."""

    def box(self, _: float, tall: float, __: float, deep: float, wide: float, ___: float) -> Voxels:
        one = super().box(_, tall, __, deep, wide, ___)
        if abs(deep) > 1.5:
            one.values[15:17] = 0
        return one


@pytest.mark.parametrize(("system", "reach", "expected"), [(Boxes, 2, 1), (Brittle, 1, 1), (Brittle, 1.3, 0.75)])
def test_what_comes_apart_is_not_sound(system: type[Boxes], reach: float, expected: float) -> None:
    boxes: Any = system()
    run, starts = Run([0]), np.zeros((2, 6))
    # One of two begins at one side, so that it may leave the middle there.
    starts[0, 3] = 0.4
    moves = effects.moved(boxes, starts[None], np.eye(6)[3:4], np.array([float(reach)]), run)
    assert moves.sound(effects.measure(boxes, starts, run))[0] == expected


def test_a_shape_that_loses_a_part_is_not_sound() -> None:
    legs = dimensions.NAMES.index("Leg Thickness")
    values = np.ones((2, len(dimensions.NAMES)))
    values[1, legs] = np.nan
    before = Measured(values, np.ones(2))
    there = np.ones((1, *values.shape))
    back = there.copy()
    back[0, :, legs] = np.nan
    # The first loses its legs on one of two sides, the second never had any.
    assert effects.Moves(there, back, np.ones((1, 2, 2)), np.ones(1)).sound(before)[0] == 0.75


class Wandering(Boxes):
    """Boxes of latents, one of whose numbers varies far more than the others and changes nothing that is measured."""

    def prior(self, run: Run) -> Tensor:
        return super().prior(run) * torch.tensor([1.0, 1, 4, 1, 1, 1])


@pytest.mark.slow
def test_principal_directions_only_where_something_stands_out() -> None:
    wandering = directions.find(Wandering(), Run([0]), 48)
    vector = wandering.vectors[wandering.names.index("Variation 1")].astype(float)
    assert abs(vector[2]) / np.linalg.norm(vector) > 0.95
    assert np.linalg.norm(vector) == pytest.approx(4, rel=0.2)


def test_a_system_without_latents_has_no_directions() -> None:
    class Silent(Boxes):
        prior = None  # type: ignore[assignment]

    with pytest.raises((Unsupported, TypeError)):
        directions.find(Silent(), Run([0]))


@pytest.fixture
def card(tmp_path: Path) -> cards.Card:
    system = VoxelVAE.from_config({"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3})
    return zoo.save(system, tmp_path / "tiny", title="Tiny", licence="CC0-1.0", data="Nothing.", readme="# Tiny\n")


def known() -> directions.Directions:
    return directions.Directions(
        ("Height",),
        np.array([[1, 2]], dtype=np.float32),
        (-2.0,),
        (2.0,),
        (0.9,),
        {"Width": "all alike"},
        {"Height": 0.1},
    )


def test_a_file_is_for_one_models_weights(card: cards.Card) -> None:
    assert direction_files.read(card) is None
    path = direction_files.write(known(), card)
    assert path == card.folder / "directions.safetensors"
    found = direction_files.read(card)
    assert found
    assert found.values() == known().values()
    assert np.array_equal(found.vectors, known().vectors)
    before = path.read_bytes()
    assert all(direction_files.write(known(), card).read_bytes() == before for _ in range(8))
    assert direction_files.read(replace(card, sha256="other")) is None
    path.write_bytes(b"nonsense")
    assert direction_files.read(card) is None
    assert [entry.name for entry in card.folder.iterdir() if entry.name.startswith(".")] == []


def test_what_lies_beside_the_weights_is_used(card: cards.Card) -> None:
    direction_files.write(known(), card)
    assert direction_files.of(card, zoo.load(card), Run([0])).names == ("Height",)


def test_the_programs_own_folder_is_left_alone(card: cards.Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "find", lambda *_: known())
    monkeypatch.setattr(direction_files, "find", lambda *_: known())
    monkeypatch.setattr(cards, "BUNDLED", card.folder.parent)
    assert direction_files.of(card, zoo.load(card), Run([0])).names == ("Height",)
    assert not (card.folder / direction_files.FILE).exists()
    monkeypatch.setattr(cards, "BUNDLED", Path("elsewhere"))
    direction_files.of(card, zoo.load(card), Run([0]))
    assert (card.folder / direction_files.FILE).exists()


def test_the_command(card: cards.Card, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "find", lambda *_: known())
    assert main(["directions", str(card.folder), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["names"] == ["Height"]
    assert (card.folder / direction_files.FILE).exists()


def test_the_command_measures_the_sliders_that_are_there(card: cards.Card, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["directions", str(card.folder), "--device", "cpu", "--check", "2"]) == 2
    assert "has no sliders" in capsys.readouterr().err
    direction_files.write(known(), card)
    assert main(["directions", str(card.folder), "--device", "cpu", "--check", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["own"]) == {"Height"}
    assert set(said["effects"]) == set(dimensions.NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "leak"), [("chair-gridgan", 0.35), ("furniture-r2n2", 0.95)])
def test_the_sliders_of_shipped_models_do_what_they_say(model: str, leak: float) -> None:
    """Of unseen shapes, as docs/sliders.md has it; regressions alone did .1 to .7 of what they said."""
    card = cards.find(model)
    found = direction_files.read(card)
    assert found
    verdict = directions.check(zoo.load(card), found, Run([0]), 48)
    assert len(verdict.own) >= 5
    assert all(0.8 < own < 1.2 for own in verdict.own.values()), verdict.own
    assert all(abs(much) < leak for _, much in verdict.leaks.values()), verdict.leaks
    assert min(verdict.sound.values()) > 0.5
