"""Shape sliders: directions that are known are found again, what cannot be predicted is not offered."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gen3d_core import cards, dimensions, direction_files, directions, zoo
from gen3d_core.__main__ import main
from gen3d_core.errors import EmptyShape, Unsupported
from gen3d_core.representations import Field, Voxels
from gen3d_core.run import Run
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


def test_known_directions_are_found_and_leave_each_other_alone() -> None:
    latents = drawn()
    noise = 0.05 * np.random.default_rng(1).normal(size=(2, len(latents)))
    tall, wide = axis(1, 0.5), axis(0.5, 1)
    found = directions.solve(
        latents, {"Height": 3 + 0.2 * latents @ tall + noise[0], "Width": latents @ wide + noise[1]}
    )
    assert found.names == ("Height", "Width")
    assert min(found.scores) > 0.9
    # Their own gradients are alike, cosine 0.8; each direction has to leave the other attribute as it is.
    first, second = found.vectors.astype(float)
    assert abs(cosine(axis(*first), wide)) < 0.05
    assert abs(cosine(axis(*second), tall)) < 0.05
    conditional = tall - wide * (tall @ wide) / (wide @ wide)
    assert cosine(axis(*first), conditional) > 0.95
    # One step is one standard deviation.
    assert 0.2 * axis(*first) @ tall == pytest.approx((0.2 * latents @ tall).std(), rel=0.1)
    assert np.allclose(np.diag(found.leaks), 1, atol=1e-5)
    assert np.abs(found.leaks - np.eye(2)).max() < 0.05
    assert all(low < -1 and high > 1 for low, high in zip(found.low, found.high, strict=True))


def test_what_cannot_be_predicted_is_not_offered() -> None:
    latents = drawn()
    random = np.random.default_rng(2)
    found = directions.solve(
        latents,
        {
            "Height": latents[:, 0],
            "Width": random.normal(size=len(latents)),
            "Depth": np.ones(len(latents)),
            "Fullness": latents[:, 1] ** 2,
            "Leg Thickness": np.where(np.arange(len(latents)) < 20, latents[:, 2], np.nan),
        },
    )
    assert found.names == ("Height",)
    assert set(found.refused) == {"Width", "Depth", "Fullness", "Leg Thickness"}
    assert found.refused["Width"] < directions.LEAST


def test_the_score_is_that_of_unseen_samples() -> None:
    """As many numbers as samples explain anything that was seen: an honest score says that nothing was learned."""
    random = np.random.default_rng(3)
    latents = random.normal(size=(100, 90))
    signal = latents @ random.normal(size=90) * 0.1
    found = directions.solve(latents, {"Height": random.normal(size=100), "Width": signal + random.normal(size=100)})
    assert found.names == ()
    assert found.refused["Height"] < 0.15
    # The share of half signal, half noise is found within what fifty unseen samples tell.
    latents = drawn(400, 4)
    values = latents[:, 0] + np.random.default_rng(5).normal(size=400)
    score = directions.solve(latents, {"Height": values}).scores[0]
    assert 0.3 < score < 0.65


def test_two_names_of_one_thing_become_one_slider() -> None:
    latents = drawn()
    noise = 0.02 * np.random.default_rng(1).normal(size=len(latents))
    found = directions.solve(latents, {"Height": latents[:, 0], "Width": latents[:, 0] + noise, "Depth": latents[:, 1]})
    assert len(found.names) == 2
    assert "Depth" in found.names


def test_principal_directions_only_where_something_stands_out() -> None:
    latents = drawn()
    assert directions.solve(latents, {}).names == ()
    latents[:, 3] *= 4
    found = directions.solve(latents, {"Height": latents[:, 0]})
    assert found.names == ("Height", "Variation 1")
    assert abs(cosine(axis(*found.vectors[1]), axis(0, 0, 0, 1))) > 0.98
    assert np.linalg.norm(found.vectors[1]) == pytest.approx(4, rel=0.15)
    # What an attribute explains already is no second slider.
    assert directions.solve(latents, {"Height": latents[:, 3]}).names == ("Height",)


def test_the_same_samples_give_the_same_directions() -> None:
    latents = drawn()
    one, two = (directions.solve(latents, {"Height": latents[:, 0], "Width": latents[:, 1]}) for _ in range(2))
    assert np.array_equal(one.vectors, two.vectors)
    assert one.values() == two.values()


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
    """Latents whose second number is the height and whose fifth is the width of a box; the others make nothing."""

    def prior(self, run: Run) -> Tensor:
        return run.randn(6)

    def decode(self, z: Tensor, run: Run) -> list[Field]:
        return [box(0.5 + 0.08 * float(one[4]), 0.5, 0.5 + 0.1 * float(one[1]) + 0.02 * float(one[4])) for one in z]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)


def test_directions_of_a_system() -> None:
    found = directions.find(Boxes(), Run([0]), 120)
    assert {"Height", "Width"} <= set(found.names)
    assert "Depth" not in found.names
    assert {"Leg Thickness", "Back Height"} <= set(found.refused)
    height = found.vectors[found.names.index("Height")].astype(float)
    assert height[1] / np.linalg.norm(height) > 0.98
    # What the slider says happens: a step changes the height, and the width hardly.
    base = torch.zeros(1, 6)
    step = torch.zeros(1, 6)
    step[0, : len(height)] = torch.as_tensor(height)
    before, after = (
        dimensions.measured(dimensions.coverage(Boxes().decode(z, Run([0]))[0])) for z in (base, base + step)
    )
    assert after["Height"] - before["Height"] == pytest.approx(0.1, rel=0.25)
    assert abs(after["Width"] - before["Width"]) < 0.02


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
        ("Height",), np.array([[1, 2]], dtype=np.float32), (-2.0,), (2.0,), (0.9,), {"Width": 0.1}
    )


def test_a_file_is_for_one_models_weights(card: cards.Card) -> None:
    assert direction_files.read(card) is None
    path = direction_files.write(known(), card)
    assert path == card.folder / "directions.safetensors"
    found = direction_files.read(card)
    assert found
    assert found.values() == known().values()
    assert np.array_equal(found.vectors, known().vectors)
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
