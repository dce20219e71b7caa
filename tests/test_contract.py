"""What every system promises, checked on every system that is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from gen3d_core import tasks, training, zoo
from gen3d_core.data import catalogue
from gen3d_core.errors import BadModel
from gen3d_core.families import inversion
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import (
    Classifies,
    Encodes,
    Features,
    FromClasses,
    HasLatents,
    Noise,
    Refines,
    Samples,
    Scores,
    System,
    discover,
    find_system,
    system_name,
)
from tests.systems import building

SYSTEMS = discover()
CHAIRS = [catalogue.make("chair", seed) for seed in range(6)]


@dataclass(frozen=True)
class Case:
    """A system and the configuration that it is checked in."""

    name: str
    config: Mapping[str, Any]


#: Of systems whose small size takes long: the same with fewer channels and steps. The small size is checked as well,
#: where there is time.
LIGHT: dict[str, dict[str, Any]] = {
    "voxels.autosdf": {"side": 4, "cube": 8, "encoder": [32, 32], "decoder": [16, 8, 8], "layers": 2, "width": 48},
    "voxels.descriptor": {"channels": [4, 6, 6], "steps": 4, "walk": 8, "onward": 6, "chains": 6, "directions": 4},
}
LIGHT_CASES = [pytest.param(Case(name, LIGHT[name]), id=f"{name} (light)") for name in sorted(LIGHT)]
SMALL_CASES = [
    pytest.param(Case(name, system.presets["small"]), id=name, marks=[pytest.mark.slow] if name in LIGHT else [])
    for name, system in sorted(SYSTEMS.items())
]
each = pytest.mark.parametrize("case", [*SMALL_CASES, *LIGHT_CASES])


def build(case: Case) -> System:
    """With reproducible weights, away from what an untrained network has in common."""
    return building.asleep(SYSTEMS[case.name], case.config, seed=3)


def values(representation: Any) -> torch.Tensor:
    """What a representation holds, as one tensor."""
    if hasattr(representation, "values"):
        return representation.values
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    return representation.distance(points)


def test_discovery_finds_the_files_of_the_shelves() -> None:
    shelves = Path(tasks.__file__).parent / "systems"
    files = {f"{p.parent.name}.{p.stem}" for p in shelves.glob("*/*.py") if p.stem != "__init__"}
    assert files == set(SYSTEMS)
    for name in files:
        assert system_name(find_system(name)) == name


@each
def test_same_seed_same_shape(case: Case) -> None:
    system = build(case)
    first, again = ([values(s.representation) for s in tasks.sample(system, Run([5, 9]))] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])


@each
def test_a_shape_does_not_depend_on_its_companions(case: Case) -> None:
    system = build(case)
    (alone,) = tasks.sample(system, Run([9]))
    *_, last = tasks.sample(system, Run([1, 2, 9]))
    assert torch.equal(values(alone.representation), values(last.representation))


@each
def test_sampling_leaves_the_global_generator_alone(case: Case) -> None:
    system = build(case)
    before = torch.get_rng_state()
    list(tasks.sample(system, Run([1])))
    assert torch.equal(before, torch.get_rng_state())


@each
def test_cancel_is_seen(case: Case) -> None:
    system = build(case)
    shapes = tasks.sample(system, Run([1, 2, 3], on_progress=lambda fraction: fraction < 0.3))
    with pytest.raises(Cancelled):
        list(shapes)


@each
def test_saved_and_loaded_is_the_same_to_the_bit(case: Case, tmp_path: Path) -> None:
    system = build(case)
    zoo.save(system, tmp_path / "model", title="t", licence="CC0-1.0", data="none", readme="# t\n")
    from gen3d_core import cards

    loaded = zoo.load(cards.read(tmp_path / "model"))
    # Weights are stored in half precision: what is loaded must be exactly the rounded weights.
    for (key, a), (_, b) in zip(system.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert torch.equal(a.half().float() if a.is_floating_point() else a, b), key
    again = zoo.load(cards.read(tmp_path / "model"))
    a, b = (next(tasks.sample(s, Run([4]))) for s in (loaded, again))
    assert torch.equal(values(a.representation), values(b.representation))


@each
def test_unknown_configuration_is_refused(case: Case) -> None:
    with pytest.raises(BadModel, match="unknown keys: colour"):
        SYSTEMS[case.name].from_config({"colour": 1})


@pytest.mark.slow
@each
def test_every_parameter_learns_in_some_stage(case: Case) -> None:
    system = build(case)
    data = training.prepare(system, CHAIRS[:4], Run([0]))
    reached: set[str] = set()
    for index, stage in enumerate(system.stages()):
        system.eval().requires_grad_(False)
        examples = stage.dataset(data, Run([0]))
        for network in stage.trains:
            network.train().requires_grad_(True)
        system.zero_grad()
        for network, loss in stage.losses(examples, Noise(index, torch.device("cpu"))):
            assert any(network is trained for trained in stage.trains)
            assert torch.isfinite(loss)
            torch.autograd.backward(loss, inputs=list(network.parameters()), retain_graph=True)
        reached |= {key for key, p in system.named_parameters() if p.grad is not None}
    assert reached == {key for key, _ in system.named_parameters()}


@each
def test_can_sample(case: Case) -> None:
    assert isinstance(build(case), HasLatents | Samples)


@each
def test_ends_of_an_interpolation_are_the_shapes(case: Case) -> None:
    system = build(case)
    if not isinstance(system, HasLatents):
        pytest.skip("has no latents")
    a, b = system.prior(Run([1, 2]))
    shapes = list(tasks.interpolate(system, a, b, 3, Run([0])))
    for shape, latent in ((shapes[0], a), (shapes[2], b)):
        (alone,) = system.decode(latent[None], Run([0]))
        assert torch.equal(values(alone), values(shape.representation))
    middle = values(shapes[1].representation)
    assert not torch.equal(middle, values(shapes[0].representation))
    assert not torch.equal(middle, values(shapes[2].representation))


@each
def test_varying_by_nothing_changes_nothing_and_by_little_changes_little(case: Case) -> None:
    system = build(case)
    if not isinstance(system, HasLatents):
        pytest.skip("has no latents")
    (latent,) = system.prior(Run([1]))
    same, near, far = (next(tasks.vary(system, latent, amount, Run([8]))).latent for amount in (0.0, 0.2, 1.0))
    assert same is not None
    assert near is not None
    assert far is not None
    assert torch.allclose(same, latent, atol=1e-6)
    assert 0 < (near - latent).norm() < (far - latent).norm()


@each
def test_abilities_give_what_they_promise(case: Case) -> None:
    system = build(case)
    if isinstance(system, Encodes) and isinstance(system, HasLatents):
        assert system.encode(CHAIRS[:2], Run([0, 1])).shape == system.prior(Run([0, 1])).shape
    if isinstance(system, Scores):
        assert torch.isfinite(system.score(CHAIRS[:2], Run([0, 1]))).all()
    if isinstance(system, Features):
        features = system.features(CHAIRS[:2], Run([0, 1]))
        assert features.ndim == 2
        assert len(features) == 2
        assert not torch.equal(features[0], features[1])
    if isinstance(system, Classifies):
        probabilities = system.classify(CHAIRS[:2], Run([0, 1]))
        assert probabilities.shape == (2, len(system.class_names()))
        assert torch.allclose(probabilities.sum(1), torch.ones(2), atol=1e-4)
    if isinstance(system, FromClasses):
        names = system.class_names()
        drawn = [next(tasks.from_class(system, name, Run([1]))).representation for name in names]
        assert len(drawn) == len(names) >= 2
    if isinstance(system, Refines):
        (fine,) = system.refine(CHAIRS[:1], Run([0]))
        assert torch.isfinite(values(fine)).all()


@each
def test_completion_keeps_what_is_given(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the known half of the space, the completion has the given shape's own occupancy, however well it fits."""
    # A short search fits less well, which is not what this is about.
    monkeypatch.setitem(inversion.search.__kwdefaults__, "steps", 20)
    system = build(case)
    chair = CHAIRS[1]
    known = torch.zeros((tasks.COMPARED_AT,) * 3, dtype=torch.bool)
    known[:, :, : tasks.COMPARED_AT // 2] = True
    (shape,) = tasks.complete(system, chair, known, Run([3]))
    representation = shape.representation
    if hasattr(representation, "occupied"):
        found = representation.occupied[:, :, :14]  # type: ignore[attr-defined]
        given = torch.as_tensor(chair.voxels(representation.resolution))[:, :, :14]  # type: ignore[attr-defined]
    else:
        found = representation.dense(32)[:, :, :14] < 0  # type: ignore[attr-defined]
        given = torch.as_tensor(chair.voxels(32))[:, :, :14]
    assert torch.equal(found, given)


@each
def test_cancel_is_seen_while_completing(case: Case) -> None:
    system = build(case)
    known = torch.zeros((tasks.COMPARED_AT,) * 3, dtype=torch.bool)
    known[:, :, : tasks.COMPARED_AT // 2] = True
    reported: list[float] = []

    def on_progress(fraction: float) -> bool:
        reported.append(fraction)
        return len(reported) < 4

    with pytest.raises(Cancelled):
        list(tasks.complete(system, CHAIRS[1], known, Run([3], on_progress=on_progress)))
    assert len(reported) == 4, "it went on after it was told to stop, or never asked"
    assert reported[-1] < 1, "it asked at the end only"


@pytest.mark.slow
@each
def test_a_cancelled_training_goes_on_as_if_nothing_had_been(case: Case, tmp_path: Path) -> None:
    data = training.prepare(build(case), CHAIRS[:4], Run([0]))
    steps = {stage.name: 3 for stage in build(case).stages()}
    plan = training.Plan(steps=steps, batch_size=4)
    whole = build(case)
    training.train(whole, data, tmp_path / "whole", plan)
    halves = build(case)
    half = Run([0], on_progress=lambda fraction: fraction < 0.5)
    with pytest.raises(Cancelled):
        training.train(halves, data, tmp_path / "halves", plan, half)
    again = build(case)
    training.train(again, data, tmp_path / "halves", plan)
    for (key, a), (_, b) in zip(whole.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), key
