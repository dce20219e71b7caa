"""The verbs of the artist on a system whose answers are known: spheres of one radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gen3d_core import tasks
from gen3d_core.errors import BadRequest, Unsupported
from gen3d_core.families import inversion
from gen3d_core.representations import Field, Mesh, MeshOptions
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset, lerp, slerp
from tests.bare import Bare


class Spheres(Bare):
    """Latents of two numbers: the first makes the radius, the second nothing."""

    def __init__(self) -> None:
        super().__init__(0.25)

    def prior(self, run: Run) -> Tensor:
        return run.randn(2)

    def radius(self, z: Tensor) -> Tensor:
        return self.size + 0.1 * torch.tanh(z[:, 0])

    def decode(self, z: Tensor, run: Run) -> list[Field]:
        return [Field(lambda points, r=float(r): points.norm(dim=1) - r) for r in self.radius(z)]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)


class FittingSpheres(Spheres):
    """Spheres that can be compared with a given shape, by the share of cells inside."""

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        assert known.shape == (32, 32, 32)
        share = float(torch.as_tensor(target.voxels(32))[known].float().mean() / known.float().mean())
        wanted = (share / (4 / 3 * np.pi)) ** (1 / 3)
        return lambda z: (self.radius(z) - wanted).abs()

    def surprise(self, z: Tensor) -> Tensor:
        return z.pow(2).mean(1)

    def restrict(self, z: Tensor) -> Tensor:
        return z.clamp(-3, 3)


class EncodingSpheres(FittingSpheres):
    """Spheres with an encoder, a score and a completion of their own, each recognisable."""

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.full((len(assets), 2), 0.5)

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.full((len(assets),), 7.0)

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Field]:
        return self.decode(run.randn(2) * 0 + 2, run)


class OnlySamples(Bare):
    """Without latents."""

    def sample(self, run: Run) -> list[Field]:
        radii = 0.2 + 0.1 * run.rand(1)[:, 0]
        return [Field(lambda points, r=float(r): points.norm(dim=1) - r) for r in radii]


class Ball:
    """An asset: a ball of a radius."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def sdf(self, points: Any) -> Any:
        return np.linalg.norm(points, axis=1).astype(np.float32) - np.float32(self.radius)

    def voxels(self, resolution: int) -> Any:
        return self.sdf_grid(resolution) < 0

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> Any:
        axis = (np.arange(resolution) + 0.5) / resolution - 0.5
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        return self.sdf(points).clip(-truncation, truncation).reshape((resolution,) * 3)

    def surface(self, count: int, seed: int = 0) -> Any:
        normals = np.random.default_rng(seed).normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return (normals * self.radius).astype(np.float32), normals.astype(np.float32)


EVERYWHERE = torch.ones(32, 32, 32, dtype=torch.bool)


def radius(shape: tasks.Shape) -> float:
    assert isinstance(shape.representation, Field)
    return -float(shape.representation.distance(torch.zeros(1, 3))[0])


def test_each_seed_gives_its_shape_whatever_is_asked_for_beside_it() -> None:
    together = list(tasks.sample(Spheres(), Run([5, 6, 7])))
    (alone,) = tasks.sample(Spheres(), Run([6]))
    assert [shape.seed for shape in together] == [5, 6, 7]
    assert alone.latent is not None
    assert together[1].latent is not None
    assert torch.equal(together[1].latent, alone.latent)
    assert torch.equal(alone.latent, Run([6]).randn(2)[0])
    assert radius(together[1]) == radius(alone) != radius(together[0])


def test_shapes_come_one_at_a_time_and_can_be_cancelled_between() -> None:
    made: list[int] = []

    class Counted(Spheres):
        def decode(self, z: Tensor, run: Run) -> list[Field]:
            run.report(0.0)
            made.append(int(run.seeds[0]))
            return super().decode(z, run)

    shapes = tasks.sample(Counted(), Run([1, 2, 3], on_progress=lambda fraction: fraction < 0.5))
    next(shapes)
    assert made == [1]
    with pytest.raises(Cancelled):
        list(shapes)
    assert made == [1, 2]


def test_systems_without_latents_sample() -> None:
    (shape,) = tasks.sample(OnlySamples(), Run([3]))
    assert shape.latent is None
    mesh = shape.representation.to_mesh(MeshOptions(16))
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(radius(shape), abs=0.01)


def test_decode_is_the_latents_shape_and_its_ends_are_exact() -> None:
    a, b = torch.tensor([-1.0, 0.3]), torch.tensor([1.0, 0.1])
    start, middle, stop = (tasks.decode(Spheres(), a, b, t, Run([0])) for t in (0, 0.5, 1))
    assert start.latent is not None
    assert torch.equal(start.latent, a)
    assert stop.latent is not None
    assert torch.equal(stop.latent, b)
    assert [s.t for s in (start, middle, stop)] == [0, 0.5, 1]
    assert radius(middle) == pytest.approx(0.25)


def test_a_blend_is_the_weighted_mean_and_a_single_weight_that_shape() -> None:
    latents = torch.tensor([[-1.0, 0.3], [1.0, 0.1], [0.5, -2.0], [0.2, 0.2]])
    weights = [1.0, 2.0, 0.0, 5.0]
    shape = tasks.blend(Spheres(), latents, weights, Run([0]))
    assert shape.latent is not None
    expected = (latents * torch.tensor(weights)[:, None]).sum(0) / sum(weights)
    assert torch.allclose(shape.latent, expected, atol=1e-6)
    for i in range(4):
        alone = tasks.blend(Spheres(), latents, [float(i == k) * 0.3 for k in range(4)], Run([0])).latent
        assert alone is not None
        assert torch.equal(alone, latents[i])
    alike = tasks.blend(Spheres(), latents, [0.0] * 4, Run([0])).latent
    assert alike is not None
    assert torch.allclose(alike, latents.mean(0), atol=1e-6)
    one, two = (tasks.blend(Spheres(), latents[:2], w, Run([0])).latent for w in ([0.75, 0.25], [3.0, 1.0]))
    between = tasks.decode(Spheres(), latents[0], latents[1], 0.25, Run([0])).latent
    assert one is not None
    assert two is not None
    assert between is not None
    assert torch.equal(one, between)
    assert torch.equal(one, two)


def test_a_blend_goes_the_systems_own_way() -> None:
    class Curved(Spheres):
        def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
            return slerp(a, b, t)

    latents = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [0.1, 1.0], [0.7, 0.7]]), dim=1)
    shape = tasks.blend(Curved(), latents, [1.0, 1.0, 1.0], Run([0]))
    assert shape.latent is not None
    assert float(shape.latent.norm()) == pytest.approx(1, abs=1e-4)


def test_an_offset_is_added_to_what_lies_between() -> None:
    a, b, offset = torch.tensor([-1.0, 0.3]), torch.tensor([1.0, 0.1]), torch.tensor([0.5, 0.25])
    for shape, plain in (
        (tasks.decode(Spheres(), a, b, 0.25, Run([0]), offset), tasks.decode(Spheres(), a, b, 0.25, Run([0]))),
        (
            tasks.blend(Spheres(), torch.stack([a, b]), [1, 1], Run([0]), offset),
            tasks.blend(Spheres(), torch.stack([a, b]), [1, 1], Run([0])),
        ),
    ):
        assert shape.latent is not None
        assert plain.latent is not None
        assert torch.equal(shape.latent, plain.latent + offset)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -0.1], [float("nan"), 1.0], []])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(BadRequest, match="make no blend"):
        tasks.blend(Spheres(), torch.zeros(2, 2), weights, Run([0]))
    with pytest.raises(BadRequest, match="2 numbers"):
        tasks.blend(Spheres(), torch.zeros(2, 3), [1.0, 1.0], Run([0]))


def test_interpolation_is_evenly_spaced_and_holds_both_ends() -> None:
    a, b = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0])
    shapes = list(tasks.interpolate(Spheres(), a, b, 5, Run([0])))
    assert [float(s.latent[1]) for s in shapes if s.latent is not None] == pytest.approx([0, 0.75, 1.5, 2.25, 3])
    assert [s.t for s in shapes] == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(BadRequest, match="two ends"):
        list(tasks.interpolate(Spheres(), a, b, 1, Run([0])))


def test_variation_goes_its_share_of_the_way_to_each_seed() -> None:
    latent = torch.tensor([0.4, -0.2])
    for amount in (0.0, 0.3, 1.0):
        for shape, seed in zip(tasks.vary(Spheres(), latent, amount, Run([8, 9])), (8, 9), strict=True):
            assert shape.latent is not None
            assert torch.allclose(shape.latent, latent + amount * (Run([seed]).randn(2)[0] - latent))
            assert shape.seed == seed


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_amounts_out_of_range_are_refused(amount: float) -> None:
    with pytest.raises(BadRequest, match="out of range"):
        list(tasks.vary(Spheres(), torch.zeros(2), amount, Run([0])))
    with pytest.raises(BadRequest, match="out of range"):
        list(tasks.augment(EncodingSpheres(), Ball(0.3), amount, Run([0])))
    with pytest.raises(BadRequest, match="out of range"):
        list(tasks.deform(ball_mesh(), amount, Run([0])))


@pytest.mark.parametrize("latent", [torch.zeros(3), torch.zeros(1, 2), torch.zeros(())])
def test_latents_of_another_model_are_refused(latent: Tensor) -> None:
    with pytest.raises(BadRequest, match="have 2 numbers"):
        tasks.decode(Spheres(), torch.zeros(2), latent, 0.5, Run([0]))
    with pytest.raises(BadRequest, match="have 2 numbers"):
        list(tasks.vary(Spheres(), latent, 0.5, Run([0])))


@pytest.mark.parametrize("size", [0.2, 0.3])
def test_without_an_encoder_latents_are_found_by_search(size: float) -> None:
    shape = tasks.reconstruct(FittingSpheres(), Ball(size), Run([0]))
    assert radius(shape) == pytest.approx(size, abs=0.005)
    assert shape.latent is not None
    assert torch.equal(tasks.encode(FittingSpheres(), Ball(size), Run([0])), shape.latent)


def test_completion_by_search_fits_what_is_known_and_differs_by_seed() -> None:
    known = EVERYWHERE.clone()
    known[16:] = False
    first, second = tasks.complete(FittingSpheres(), Ball(0.3), known, Run([1, 2]))
    (again,) = tasks.complete(FittingSpheres(), Ball(0.3), known, Run([2]))
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    one, two, three = (s.representation.distance(points) for s in (first, second, again))  # type: ignore[attr-defined]
    assert torch.equal(two, three)
    assert not torch.equal(one, two)
    # Where the ball is given, the result is the ball; its latent is that of no shape, so there is none.
    inside = points[:, 0] < -0.1
    given = torch.as_tensor(Ball(0.3).sdf(points.numpy())).clamp(-0.1, 0.1)
    assert torch.allclose(one[inside], given[inside], atol=1e-5)
    assert first.latent is None


def test_completion_of_nothing_is_refused() -> None:
    with pytest.raises(BadRequest, match="Nothing of the shape is kept"):
        list(tasks.complete(FittingSpheres(), Ball(0.3), ~EVERYWHERE, Run([0])))


def test_the_fallback_score_is_higher_for_what_cannot_be_reproduced() -> None:
    usual, unusual = tasks.score(FittingSpheres(), [Ball(0.25), Ball(0.45)], Run([0]))
    assert usual < 0.01
    # No latent reaches a radius beyond 0.35.
    assert unusual == pytest.approx(0.1, abs=0.02)


def test_the_fallback_score_asks_what_the_prior_can_make_not_what_an_encoder_can_keep() -> None:
    """An encoder that reproduces anything explains nothing: the score looks at what is left of its latents."""

    class Keeping(FittingSpheres):
        """Latents whose second number is kept by the encoder alone: a radius to the letter."""

        def radius(self, z: Tensor) -> Tensor:
            return super().radius(z) + z[:, 1]

        def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
            return torch.tensor([[0.0, asset.radius - 0.25] for asset in assets])  # type: ignore[attr-defined]

        def restrict(self, z: Tensor) -> Tensor:
            return torch.cat([z[:, :1], torch.zeros_like(z[:, 1:])], dim=1)

    usual, unusual = tasks.score(Keeping(), [Ball(0.25), Ball(0.45)], Run([0]))
    assert usual < 0.01
    assert unusual == pytest.approx(0.2, abs=0.02)


def test_unlikely_latents_make_a_shape_unusual() -> None:
    class Far(FittingSpheres):
        def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
            # Both explain the shape as well; the second number makes nothing of it.
            return torch.tensor([[0.0, 0.0 if asset.radius < 0.25 else 5.0] for asset in assets])  # type: ignore[attr-defined]

        def restrict(self, z: Tensor) -> Tensor:
            return z

    near, far = tasks.score(Far(), [Ball(0.24), Ball(0.26)], Run([0]))
    assert far - near == pytest.approx(tasks.UNLIKELY * (5**2 / 2 - 1), abs=0.01)


def test_augmentation_varies_what_was_given() -> None:
    """Each seed its share of the way from the shape to a shape of the prior, whatever is asked for beside it."""
    system = EncodingSpheres()
    shapes = list(tasks.augment(system, Ball(0.3), 0.3, Run([8, 9])))
    for shape, seed in zip(shapes, (8, 9), strict=True):
        assert shape.latent is not None
        assert torch.allclose(shape.latent, 0.5 + 0.3 * (Run([seed]).randn(2)[0] - 0.5))
        assert shape.seed == seed
    (alone,) = tasks.augment(system, Ball(0.3), 0.3, Run([9]))
    assert torch.equal(alone.latent, shapes[1].latent)  # type: ignore[arg-type]
    (same,) = tasks.augment(system, Ball(0.3), 0.0, Run([9]))
    assert torch.equal(same.latent, torch.tensor([0.5, 0.5]))  # type: ignore[arg-type]


def test_augmentation_by_search_starts_at_the_same_latent_for_every_seed() -> None:
    (first,) = tasks.augment(FittingSpheres(), Ball(0.3), 0.0, Run([1]))
    (second,) = tasks.augment(FittingSpheres(), Ball(0.3), 0.0, Run([2]))
    assert torch.equal(first.latent, second.latent)  # type: ignore[arg-type]
    assert radius(first) == pytest.approx(0.3, abs=0.005)


def test_augmentation_reports_progress_and_can_be_cancelled() -> None:
    fractions: list[float] = []

    def watch(fraction: float) -> bool:
        fractions.append(fraction)
        return True

    list(tasks.augment(FittingSpheres(), Ball(0.3), 0.5, Run([1, 2], on_progress=watch)))
    assert fractions == sorted(fractions)
    assert len({round(fraction, 1) for fraction in fractions}) > 4
    with pytest.raises(Cancelled):
        list(tasks.augment(FittingSpheres(), Ball(0.3), 0.5, Run([1, 2], on_progress=lambda f: f < 0.2)))


def ball_mesh() -> Mesh:
    return Field(lambda points: points.norm(dim=1) - 0.3).to_mesh(MeshOptions(24))


def test_geometry_alone_changes_proportions_and_keeps_the_faces() -> None:
    mesh = ball_mesh()
    first, second = tasks.deform(mesh, 0.5, Run([1, 2]))
    (alone,) = tasks.deform(mesh, 0.5, Run([2]))
    made = [shape.representation for shape in (first, second, alone)]
    assert all(isinstance(one, Mesh) and one.is_closed() for one in made)
    one, two, three = (shape.vertices for shape in made)  # type: ignore[attr-defined]
    assert np.array_equal(two, three)
    assert np.abs(one - two).max() > 0.01
    assert np.abs(one - mesh.vertices).max() < 0.3
    # As large as it was, and standing where it stood.
    for vertices in (one, two):
        assert np.ptp(vertices, axis=0).max() == pytest.approx(np.ptp(mesh.vertices, axis=0).max(), abs=1e-5)
        assert vertices[:, 2].min() == pytest.approx(mesh.vertices[:, 2].min(), abs=1e-5)
    (same,) = tasks.deform(mesh, 0.0, Run([1]))
    assert same.representation.vertices == pytest.approx(mesh.vertices, abs=1e-6)  # type: ignore[attr-defined]


def test_more_geometry_changes_more() -> None:
    mesh = ball_mesh()

    def change(amount: float) -> float:
        shapes = tasks.deform(mesh, amount, Run(range(6)))
        return float(np.mean([np.abs(s.representation.vertices - mesh.vertices).mean() for s in shapes]))  # type: ignore[attr-defined]

    assert 0 < change(0.2) < change(0.5) < change(1.0)


def test_a_systems_own_ways_come_first() -> None:
    system = EncodingSpheres()
    assert torch.equal(tasks.encode(system, Ball(0.3), Run([0])), torch.tensor([0.5, 0.5]))
    assert tasks.score(system, [Ball(0.3)] * 2, Run([0])) == [7.0, 7.0]
    (completed,) = tasks.complete(system, Ball(0.3), EVERYWHERE, Run([0]))
    assert radius(completed) == pytest.approx(0.25 + 0.1 * np.tanh(2), abs=1e-6)


def test_what_a_system_cannot_do_is_said_in_words() -> None:
    bare, spheres, ball, zero = Bare(), Spheres(), Ball(0.3), torch.zeros(2)
    asked: list[tuple[str, Callable[[], object]]] = [
        ("generate shapes", lambda: list(tasks.sample(bare, Run([0])))),
        ("move between shapes", lambda: tasks.decode(bare, zero, zero, 0.5, Run([0]))),
        ("move between shapes", lambda: list(tasks.interpolate(bare, zero, zero, 3, Run([0])))),
        ("vary shapes", lambda: list(tasks.vary(bare, zero, 0.5, Run([0])))),
        ("take a given shape", lambda: tasks.encode(spheres, ball, Run([0]))),
        ("take a given shape", lambda: tasks.reconstruct(spheres, ball, Run([0]))),
        ("take a given shape", lambda: list(tasks.complete(spheres, ball, EVERYWHERE, Run([0])))),
        ("score shapes", lambda: tasks.score(spheres, [ball], Run([0]))),
        ("vary shapes", lambda: list(tasks.augment(bare, ball, 0.3, Run([0])))),
        ("take a given shape", lambda: list(tasks.augment(spheres, ball, 0.3, Run([0])))),
    ]
    for verb, ask in asked:
        with pytest.raises(Unsupported, match=f"cannot {verb}"):
            ask()


def test_search_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        tasks.encode(FittingSpheres(), Ball(0.3), Run([0], on_progress=lambda fraction: fraction < 0.2))


def test_neighbouring_seeds_search_from_different_places() -> None:
    """Starts are spaced so that no start of one seed is a start of the next."""
    starts: list[Tensor] = []

    class Watched(FittingSpheres):
        def prior(self, run: Run) -> Tensor:
            starts.append(super().prior(run))
            return starts[-1]

    for seed in (4, 5):
        tasks.encode(Watched(), Ball(0.3), Run([seed]))
    rows = torch.cat(starts)
    assert len(rows) == 2 * inversion.STARTS
    assert len(rows.unique(dim=0)) == len(rows)
