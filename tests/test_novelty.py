"""Whether a model copies, on models whose answer is known: one draws anew, one repeats, one strays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gen3d_core import novelty, tasks
from gen3d_core.errors import BadRequest, EmptyShape, Unsupported
from gen3d_core.novelty import Novelty
from gen3d_core.representations import Field
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset
from tests.bare import Bare

# What a model is asked for is drawn and searched many times over.
pytestmark = pytest.mark.slow


class Box:
    """An asset, and what a model can make: a box of three half sides."""

    def __init__(self, sides: ArrayLike) -> None:
        self.sides = np.asarray(sides, dtype=np.float64)

    def sdf(self, points: Any) -> Any:
        off = np.abs(np.asarray(points, dtype=np.float64)) - self.sides
        outside = np.linalg.norm(off.clip(0), axis=1)
        return (outside + off.max(1).clip(None, 0)).astype(np.float32)

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> Any:
        axis = (np.arange(resolution) + 0.5) / resolution - 0.5
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        return self.sdf(points).clip(-truncation, truncation).reshape((resolution,) * 3)

    def voxels(self, resolution: int) -> Any:
        return self.sdf_grid(resolution) < 0

    def surface(self, count: int, seed: int = 0) -> Any:
        random = np.random.Generator(np.random.PCG64(seed))
        areas = np.prod(self.sides) / self.sides
        axis = random.choice(3, count, p=areas / areas.sum())
        points = random.uniform(-1, 1, (count, 3))
        sign = random.choice((-1.0, 1.0), count)
        points[np.arange(count), axis] = sign
        normals = np.zeros((count, 3), np.float32)
        normals[np.arange(count), axis] = sign
        return (points * self.sides).astype(np.float32), normals

    def field(self) -> Field:
        return Field(lambda points: torch.from_numpy(self.sdf(points.numpy())))


def boxes(count: int, seed: int) -> list[Box]:
    random = np.random.Generator(np.random.PCG64(seed))
    return [Box(random.uniform(0.1, 0.4, 3)) for _ in range(count)]


class Maker(Bare):
    """Makes the boxes that it was given, by seed."""

    def __init__(self, made: Sequence[Box]) -> None:
        super().__init__()
        self.made = made

    def sample(self, run: Run) -> list[Field]:
        return [self.made[seed % len(self.made)].field() for seed in run.seeds]


class Scoring(Maker):
    """Scores a box by its first side."""

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.tensor([float(asset.sides[0]) for asset in assets])  # type: ignore[attr-defined]


TRAINING, HELD_OUT = boxes(24, 0), boxes(18, 1)


#: Points on each shape where it matters which is nearer, and not how far: half, in less than half the time.
FEW = 512


def measured(
    made: Sequence[Box],
    held_out: Sequence[Box] = HELD_OUT,
    training: Sequence[Box] = TRAINING,
    points: int = FEW,
) -> Novelty:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(novelty, "POINTS", points)
        return novelty.measure(Maker(made), training, held_out, Run([0]), range(18))


@pytest.fixture(scope="module")
def anew() -> Novelty:
    """Of a model that draws other boxes of the same kind."""
    return measured(boxes(24, 2))


@pytest.fixture(scope="module")
def repeated() -> Novelty:
    """Of a model that makes its training shapes again: how near they lie takes all points."""
    return measured(TRAINING, points=novelty.POINTS)


def test_distances_are_those_between_the_surfaces() -> None:
    """Cubes inside one another: every face is 0.02 from its like; the finite number of points does not count."""
    inner, outer, far = Box([0.3] * 3), Box([0.32] * 3), Box([0.45] * 3)
    found = novelty.measure(Maker([inner]), [outer, far], [inner, outer], Run([0]), [0])
    assert found.samples[0] == pytest.approx(0.02, abs=0.004)
    assert found.held_out[0] == pytest.approx(0.02, abs=0.004)
    assert found.held_out[1] == pytest.approx(0.0, abs=0.006)
    # Each of two training shapes has only the other.
    assert found.training[0] == pytest.approx(found.training[1], rel=0.05)
    assert found.training[0] > 0.1


def test_a_model_that_draws_anew_is_new(anew: Novelty) -> None:
    assert anew.verdict == "new"
    assert anew.nearer.low < 0.5 < anew.nearer.high
    assert "nothing points to copying" in anew.sentences()[0]


def test_a_model_that_repeats_its_training_shapes_copies(repeated: Novelty) -> None:
    assert repeated.verdict == "copies"
    assert repeated.copies == 18
    assert repeated.nearer.low > 0.5
    assert repeated.sentences()[0].startswith("Samples are copies")


def test_a_model_that_repeats_them_a_little_changed_keeps_nearer() -> None:
    found = measured([Box(box.sides + 0.02) for box in TRAINING])
    assert found.verdict == "nearer"
    assert found.copies < 9


def test_a_model_that_makes_other_things_strays() -> None:
    found = measured([Box([0.02, 0.45, 0.45])] * 24)
    assert found.verdict == "farther"
    assert "stray" in found.sentences()[0]


def test_few_assets_are_not_enough_to_tell() -> None:
    found = measured(boxes(24, 2), HELD_OUT[:1], TRAINING[:3])
    assert found.verdict == "unsure"
    assert found.nearer.high - found.nearer.low > 0.5
    # Copies show even then.
    assert measured(TRAINING[:3], [], TRAINING[:3]).verdict == "copies"


def test_without_held_out_assets_the_training_assets_stand_in_and_it_says_so(anew: Novelty) -> None:
    found = measured(boxes(24, 2), [])
    assert found.verdict == "new"
    assert any("No asset was held out" in sentence for sentence in found.sentences())
    assert not any("held out" in sentence for sentence in anew.sentences())


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.Generator(np.random.PCG64(0))
    held = 0
    for _ in range(200):
        found = Novelty(random.normal(size=16), random.normal(size=40), [], 40)  # type: ignore[arg-type]
        held += found.nearer.low <= 0.5 <= found.nearer.high
    assert held >= 190


def test_shapes_without_a_surface_are_counted_not_hidden() -> None:
    class Empty(Maker):
        def sample(self, run: Run) -> list[Field]:
            if run.seeds[0] % 2:
                raise EmptyShape("Nothing there.")
            return super().sample(run)

    found = novelty.measure(Empty(boxes(8, 2)), TRAINING, HELD_OUT, Run([0]), range(8))
    assert found.empty == 4
    assert len(found.samples) == 4
    assert any("4 samples had no surface" in sentence for sentence in found.sentences())
    nothing = Novelty([], [0.1], [0.1], 1, empty=3)
    assert nothing.verdict == "empty"
    assert nothing.values()["novelty"]["samples"]["median"] is None


def test_values_are_plain_and_hold_the_quantiles_of_scores(repeated: Novelty) -> None:
    found = novelty.measure(Scoring(boxes(4, 2)), TRAINING, HELD_OUT, Run([0]), range(4))
    values = json.loads(json.dumps(found.values()))
    assert values["novelty"]["verdict"] == found.verdict
    assert values["novelty"]["held_out"]["median"] == pytest.approx(float(np.median(found.held_out)))
    sides = [box.sides[0] for box in HELD_OUT]
    scores = values["scores"]["held_out"]
    assert scores["count"] == len(HELD_OUT)
    assert scores["values"][0] == pytest.approx(min(sides))
    assert scores["values"][scores["levels"].index(0.5)] == pytest.approx(float(np.median(sides)))
    # A system that cannot score has none.
    assert repeated.values()["scores"] == {}


def test_the_quick_search_finds_the_nearest_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    many, asked = boxes(80, 3), boxes(10, 4)
    monkeypatch.setattr(novelty, "AT_MOST", 1)
    monkeypatch.setattr(novelty, "POINTS", FEW)
    quick = novelty.measure(Maker(asked), many, asked, Run([0]), [0]).held_out
    monkeypatch.setattr(novelty, "CLOSEST", len(many))
    thorough = novelty.measure(Maker(asked), many, asked, Run([0]), [0]).held_out
    assert quick == thorough


def test_it_is_deterministic_reports_progress_and_can_be_cancelled() -> None:
    fractions: list[float] = []

    def watch(fraction: float) -> bool:
        fractions.append(fraction)
        return True

    first = novelty.measure(Scoring(TRAINING), TRAINING[:9], HELD_OUT[:3], Run([0], on_progress=watch), range(3))
    assert first == novelty.measure(Scoring(TRAINING), TRAINING[:9], HELD_OUT[:3], Run([7]), range(3))
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    for limit in (0.2, 0.45, 0.6, 0.9):
        run = Run([0], on_progress=lambda fraction, limit=limit: fraction < limit)
        with pytest.raises(Cancelled):
            novelty.measure(Scoring(TRAINING), TRAINING[:9], HELD_OUT[:3], run, range(3))


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(BadRequest, match="0 training assets"):
        novelty.measure(Maker(TRAINING), [], HELD_OUT, Run([0]), [0])
    with pytest.raises(BadRequest, match="0 samples"):
        novelty.measure(Maker(TRAINING), TRAINING, HELD_OUT, Run([0]), [])

    with pytest.raises(Unsupported, match="does not generate"):
        novelty.measure(Bare(), TRAINING, HELD_OUT, Run([0]), [0])


def test_one_training_asset_is_enough_to_go_on() -> None:
    found = novelty.measure(Maker(HELD_OUT), TRAINING[:1], [], Run([0]), range(3))
    assert found.training == []
    assert found.verdict == "unsure"
    assert found.copies == 0


def test_toy_scores_are_what_the_task_gives() -> None:
    system = Scoring(TRAINING)
    found = novelty.measure(system, TRAINING[:4], HELD_OUT[:4], Run([0]), [0])
    assert found.scores["training"] == tasks.score(system, TRAINING[:4], Run([0]))
    with pytest.raises(Unsupported):
        tasks.score(Maker(TRAINING), TRAINING[:1], Run([0]))
