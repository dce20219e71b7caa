"""Rankings on scores that are known, and changes of assets against the changed asset itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gen3d_core import ranking, tasks
from gen3d_core.errors import BadRequest, Unsupported
from gen3d_core.ranking import Change
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset
from tests.bare import Bare


class Ellipsoid:
    """An asset that is nowhere symmetric: half sides, and where its middle is."""

    def __init__(self, sides: ArrayLike, middle: ArrayLike = (0.0, 0.0, 0.0)) -> None:
        self.sides, self.middle = np.asarray(sides), np.asarray(middle)

    def sdf(self, points: Any) -> Any:
        # Not a distance far from the surface, but its sign is right everywhere and it scales as one does.
        off = (np.asarray(points, dtype=np.float64) - self.middle) / self.sides
        return ((np.linalg.norm(off, axis=1) - 1) * self.sides.min()).astype(np.float32)

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> Any:
        return self.sdf(centres(resolution)).clip(-truncation, truncation).reshape((resolution,) * 3)

    def voxels(self, resolution: int) -> Any:
        return self.sdf(centres(resolution)).reshape((resolution,) * 3) < 0

    def surface(self, count: int, seed: int = 0) -> Any:
        normals = np.random.Generator(np.random.PCG64(seed)).normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return (normals * self.sides + self.middle).astype(np.float32), normals.astype(np.float32)


def centres(resolution: int) -> Any:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


class Judge(Bare):
    """Scores by a function of the asset."""

    def __init__(self, judge: Callable[[Any], float]) -> None:
        super().__init__()
        self.judge = judge

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.tensor([self.judge(asset) for asset in assets], dtype=torch.float64)


def volume(asset: Asset) -> float:
    return float(np.asarray(asset.voxels(32)).mean())


SMALL, MIDDLE, LARGE = (Ellipsoid([0.2 * s, 0.25 * s, 0.3 * s], [0.05, 0.02, -0.03]) for s in (0.6, 0.9, 1.2))


def moved(change: Change) -> Ellipsoid:
    """What MIDDLE is under a change, by hand."""
    x, y, z = MIDDLE.middle * change.scale
    middle = np.array([-x if change.mirror else x, y, z]) + change.shift
    return Ellipsoid(MIDDLE.sides * change.scale, middle)


@pytest.mark.parametrize("change", ranking.CHANGES[1:])
def test_a_changed_asset_is_the_asset_changed(change: Change) -> None:
    (found,) = ranking.changed(MIDDLE, [change])
    wanted = moved(change)
    disagreeing = np.mean(found.voxels(32) != wanted.voxels(32)) / np.mean(wanted.voxels(32))
    # The change itself is larger than the error that is made in it.
    ignored = np.mean(MIDDLE.voxels(32) != wanted.voxels(32)) / np.mean(wanted.voxels(32))
    assert disagreeing < 0.04
    assert disagreeing < 0.5 * ignored
    points = centres(8)
    assert found.sdf(points) == pytest.approx(wanted.sdf(points), abs=1e-5)
    assert found.sdf_grid(32) == pytest.approx(wanted.sdf_grid(32), abs=0.01)
    assert np.abs(found.sdf_grid(32)).max() <= np.float32(0.1)
    surface, normals = found.surface(100)
    assert wanted.sdf(surface) == pytest.approx(0, abs=1e-5)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    outside = surface + 0.02 * normals
    assert (wanted.sdf(outside) > 0).all()


def test_the_first_change_is_none_and_all_leave_the_shape_in_the_cube() -> None:
    assert ranking.changed(MIDDLE, ranking.CHANGES)[0] is MIDDLE
    full = Ellipsoid([0.45] * 3)
    for one in ranking.changed(full, ranking.CHANGES):
        assert np.abs(one.surface(500)[0]).max() < 0.5
        assert volume(one) == pytest.approx(volume(full), rel=0.12)


def test_the_most_unusual_comes_first_with_its_interval() -> None:
    found = ranking.rank(Judge(volume), [MIDDLE, LARGE, SMALL], ["middle", "large", "small"], Run([0]))
    assert [entry.name for entry in found.entries] == ["large", "middle", "small"]
    assert [entry.index for entry in found.entries] == [1, 0, 2]
    for entry in found.entries:
        assert entry.low < entry.score < entry.high
    # Scale changes the volume by a tenth, and these differ by much more.
    assert all(a.low > b.high for a, b in pairwise(found.entries))
    assert found.sure == 1
    assert "the ranking is sure" in found.sentence()


def test_like_assets_are_ranked_and_the_ranking_is_not_sure() -> None:
    names = list("abcdef")
    same = ranking.rank(Judge(volume), [MIDDLE] * 6, names, Run([0]))
    assert same.sure == pytest.approx(0.5)
    assert [entry.name for entry in same.entries] == names
    assert "hardly better than chance" in same.sentence()
    near = [Ellipsoid(MIDDLE.sides * s, MIDDLE.middle) for s in (1.0, 1.015)]
    between = ranking.rank(Judge(volume), near, ["a", "b"], Run([0])).sure
    assert 0.5 < between < 0.95


def test_sureness_is_the_share_of_pairs_of_scores_in_order() -> None:
    """By hand: scores 1 2 3 against 2 2 4; of nine pairs the second is above in 5 and equal in 2."""
    scores = iter([1.0, 2.0, 3.0, 2.0, 2.0, 4.0])
    judge = Judge(lambda asset: next(scores))
    found = ranking.rank(judge, [SMALL, LARGE], ["a", "b"], Run([0]), changes=ranking.CHANGES[:3])
    # The medians are equal, so the order is that of the collection, which is wrong more often than right.
    assert [entry.name for entry in found.entries] == ["a", "b"]
    assert found.sure == pytest.approx(1 - 6 / 9)


KNOWN = {"held_out": {"count": 50, "levels": [0.0, 0.5, 1.0], "values": [0.0, 0.02, 0.04]}}


def test_percentiles_are_those_of_what_the_model_remembers() -> None:
    judge = Judge(lambda asset: float(asset.sides[0]))  # type: ignore[attr-defined]
    assets = [Ellipsoid([side] * 3) for side in (0.01, 0.03, 0.039, 0.3)]
    found = ranking.rank(judge, assets, list("abcd"), Run([0]), KNOWN, ranking.CHANGES[:1])
    percentiles = [entry.percentile for entry in found.entries]
    assert percentiles == [100, pytest.approx(97.5), pytest.approx(75), pytest.approx(25)]
    assert found.unusual == 2
    assert found.beyond == 1
    assert "2 of 4 are more unusual than 95 % of 50 shapes that the model was not shown" in found.sentence()


def test_training_shapes_stand_in_for_unseen_ones_and_it_says_so() -> None:
    known = {"training": KNOWN["held_out"]}
    found = ranking.rank(Judge(volume), [SMALL], ["a"], Run([0]), known)
    assert not found.unseen
    assert "training shapes" in found.sentence()
    assert ranking.rank(Judge(volume), [SMALL], ["a"], Run([0]), {**known, **KNOWN}).unseen


@pytest.mark.parametrize("known", [None, {}, {"held_out": {"count": 0}}, {"held_out": [1, 2]}])
def test_without_a_reference_there_are_no_percentiles_and_it_says_so(known: Any) -> None:
    found = ranking.rank(Judge(volume), [SMALL, LARGE], ["a", "b"], Run([0]), known)
    assert [entry.percentile for entry in found.entries] == [None, None]
    assert "remembers no scores" in found.sentence()


def test_what_was_scored_once_is_not_called_sure() -> None:
    found = ranking.rank(Judge(volume), [SMALL, LARGE], ["a", "b"], Run([0]), changes=ranking.CHANGES[:1])
    assert found.sure == 0.5
    assert "nothing is known of how sure" in found.sentence()
    assert found.entries[0].low == found.entries[0].high


@pytest.mark.slow
def test_small_collections_small_references_and_foreign_collections_are_named() -> None:
    judge, assets = Judge(volume), [SMALL, MIDDLE, LARGE, SMALL, LARGE, LARGE]
    few = ranking.rank(judge, assets[:2], ["a", "b"], Run([0]), KNOWN).sentence()
    many = ranking.rank(judge, assets, list("abcdef"), Run([0]), KNOWN).sentence()
    assert "2 assets are few" in few
    assert "are few" not in many
    rough = {"held_out": {**KNOWN["held_out"], "count": 3}}
    assert "remembers few shapes" in ranking.rank(judge, assets, list("abcdef"), Run([0]), rough).sentence()
    assert "remembers few shapes" not in many
    foreign = {"held_out": {"count": 50, "levels": [0.0, 1.0], "values": [-2.0, -1.0]}}
    assert "another kind of shape" in ranking.rank(judge, assets, list("abcdef"), Run([0]), foreign).sentence()
    usual = {"held_out": {"count": 50, "levels": [0.0, 1.0], "values": [0.0, 1.0]}}
    assert "another kind of shape" not in ranking.rank(judge, assets, list("abcdef"), Run([0]), usual).sentence()
    assert "alone cannot be ranked" in ranking.rank(judge, [SMALL], ["a"], Run([0])).sentence()


def test_values_are_plain() -> None:
    found = ranking.rank(Judge(volume), [SMALL, LARGE], ["a", "ä 🪑"], Run([0]), KNOWN)
    values = json.loads(json.dumps(found.values()))
    assert [row["place"] for row in values["entries"]] == [1, 2]
    assert values["entries"][0]["name"] == "ä 🪑"
    assert values["sentence"] == found.sentence()


def test_it_is_deterministic_reports_progress_and_can_be_cancelled() -> None:
    fractions: list[float] = []

    def watch(fraction: float) -> bool:
        fractions.append(fraction)
        return True

    run = Run([0], on_progress=watch)
    assert ranking.rank(Judge(volume), [SMALL, LARGE], ["a", "b"], run) == ranking.rank(
        Judge(volume), [SMALL, LARGE], ["a", "b"], Run([5])
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    with pytest.raises(Cancelled):
        ranking.rank(Judge(volume), [SMALL, LARGE], ["a", "b"], Run([0], on_progress=lambda f: f < 0.6))


def test_what_cannot_be_ranked_is_said() -> None:
    with pytest.raises(BadRequest, match="0 assets"):
        ranking.rank(Judge(volume), [], [], Run([0]))
    with pytest.raises(BadRequest, match="1 assets and 2 names"):
        ranking.rank(Judge(volume), [SMALL], ["a", "b"], Run([0]))
    with pytest.raises(BadRequest, match="change"):
        ranking.rank(Judge(volume), [SMALL], ["a"], Run([0]), changes=[])

    with pytest.raises(Unsupported, match="cannot score"):
        ranking.rank(Bare(), [SMALL], ["a"], Run([0]))


def test_the_area_under_the_curve_counts_pairs() -> None:
    random = np.random.Generator(np.random.PCG64(0))
    usual, unusual = random.integers(0, 9, 30), random.integers(3, 12, 20)
    counted = np.mean([(a > b) + 0.5 * (a == b) for a in unusual for b in usual])
    assert ranking.auroc(usual.tolist(), unusual.tolist()) == pytest.approx(counted)
    with pytest.raises(ValueError, match="both sides"):
        ranking.auroc([], [1.0])


def test_a_grid_is_computed_once_for_all_changes() -> None:
    asked: list[int] = []

    class Counted(Ellipsoid):
        def voxels(self, resolution: int) -> Any:
            asked.append(resolution)
            return super().voxels(resolution)

    tasks.score(Judge(volume), ranking.changed(Counted([0.3] * 3), ranking.CHANGES), Run([0]))
    assert sorted(asked) == [32, 32, 64]
