"""The interface: paths between latents, discovery, abilities, configurations."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import gen3d_core.systems
from gen3d_core import system
from gen3d_core.errors import BadModel, BadRequest
from gen3d_core.representations import Representation
from gen3d_core.system import ABILITIES, Noise, abilities, lerp, slerp
from gen3d_core.systems.voxels.vae import VoxelVAE


def test_lerp_is_the_straight_way() -> None:
    a, b = torch.tensor([[0.0, 2.0]]), torch.tensor([[4.0, 0.0]])
    assert torch.equal(lerp(a, b, 0.25), torch.tensor([[1.0, 1.5]]))


def test_slerp_in_the_plane_is_a_rotation() -> None:
    def direction(degrees: float) -> Tensor:
        return torch.tensor([[math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]], dtype=torch.float64)

    for t in (0.0, 0.1, 0.5, 0.9, 1.0):
        expected = 3 * direction(20 + 100 * t)
        assert torch.allclose(slerp(3 * direction(20), 3 * direction(120), t), expected, atol=1e-12)


def test_slerp_in_many_dimensions_keeps_the_length_and_divides_the_angle() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 5, 64, generator=generator, dtype=torch.float64)
    a, b = (v / v.norm(dim=1, keepdim=True) * 8 for v in (a, b))
    middle = slerp(a, b, 0.3)
    assert torch.allclose(middle.norm(dim=1), torch.full((5,), 8.0, dtype=torch.float64))
    whole = torch.acos((a * b).sum(1) / 64)
    assert torch.allclose(torch.acos((a * middle).sum(1) / 64), 0.3 * whole)
    assert torch.allclose(torch.acos((middle * b).sum(1) / 64), 0.7 * whole)


def test_slerp_ends_are_the_ends() -> None:
    a, b = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(1))
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.allclose(slerp(a, b, 1.0), b, atol=1e-6)


@pytest.mark.parametrize("b", [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
def test_slerp_of_parallel_and_opposite_vectors_is_straight(b: list[float]) -> None:
    start, stop = torch.tensor([[1.0, 0.0]]), torch.tensor([b])
    assert torch.allclose(slerp(start, stop, 0.25), 0.75 * start + 0.25 * stop, atol=1e-6)


def test_slerp_treats_each_row_by_itself() -> None:
    a, b = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(2))
    b[1] = a[1]
    whole = slerp(a, b, 0.4)
    for i in range(3):
        assert torch.allclose(whole[i : i + 1], slerp(a[i : i + 1], b[i : i + 1], 0.4))


def test_discovery_finds_exactly_the_files_on_the_shelves() -> None:
    root = Path(gen3d_core.systems.__path__[0])
    files = {f"{p.parent.name}.{p.stem}" for p in root.glob("*/*.py") if p.stem != "__init__"}
    found = system.discover()
    assert set(found) == files
    assert list(found) == sorted(found)
    for name, cls in found.items():
        assert system.system_name(cls) == name
        assert system.find_system(name) is cls
        assert issubclass(cls.output, Representation)
        assert "small" in cls.presets


@pytest.mark.parametrize(
    "name", ["", "vae", "voxels.", ".vae", "voxels.os", "os.path", "voxels.__init__", "a.b.c", "voxels.va e"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="There is no system"):
        system.find_system(name)


def test_abilities_are_the_methods_that_are_there() -> None:
    class Nothing:
        pass

    class Sampler:
        def sample(self) -> None: ...

    class HalfLatent(Sampler):
        def prior(self) -> None: ...

        def decode(self) -> None: ...

    class Latent(HalfLatent):
        def mix(self) -> None: ...

    assert abilities(Nothing()) == []
    assert abilities(Sampler) == ["samples"]
    assert abilities(HalfLatent()) == ["samples"]
    assert abilities(Latent) == abilities(Latent()) == ["samples", "latents"]


def test_abilities_agree_with_the_runtime_protocols() -> None:
    tiny = VoxelVAE.from_config({"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3})
    assert abilities(tiny) == [name for name, protocol in ABILITIES.items() if isinstance(tiny, protocol)]


def test_configurations_round_trip_through_plain_values() -> None:
    built = VoxelVAE.from_config({"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3})
    assert built.config.channels == (2, 2, 2, 2)
    assert VoxelVAE.from_config(built.config_values()).config == built.config
    assert built.config_values()["latent"] == 3


def test_unknown_configuration_keys_are_named() -> None:
    with pytest.raises(BadModel, match="unknown keys: depth, layers"):
        VoxelVAE.from_config({"layers": 3, "depth": 4})


@pytest.mark.parametrize("draw", ["randn", "rand"])
def test_processes_share_the_noise_of_a_step(draw: str) -> None:
    device = torch.device("cpu")
    whole = Noise(5, device)
    # Shares need not be equal.
    parts = [Noise(5, device, 7, share) for share in (slice(0, 2), slice(2, 4), slice(4, 7))]
    for shape in ((4,), (2, 2)):
        expected = getattr(whole, draw)(7, *shape)
        drawn = [getattr(part, draw)(count, *shape) for part, count in zip(parts, (2, 2, 3), strict=True)]
        assert torch.equal(torch.cat(drawn), expected)
    assert [part.common() for part in parts] == [whole.common()] * 3
    assert not torch.equal(getattr(Noise(6, device), draw)(6, 4), getattr(Noise(5, device), draw)(6, 4))
    with pytest.raises(ValueError, match="asked for 7 shapes; this process has 2 of 7"):
        getattr(parts[0], draw)(7, 4)


def test_a_decision_is_taken_over_the_whole_batch() -> None:
    device = torch.device("cpu")
    assert Noise(5, device).mean(0.25) == 0.25
    # The other process has 4 of 7 shapes, of which the mean is 1.
    noise = Noise(5, device, 7, slice(0, 3), lambda values: values + 4)
    assert noise.mean(0.5) == pytest.approx((3 * 0.5 + 4) / 7)
