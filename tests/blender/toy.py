"""Models for tests of Blender's side: voxel VAEs that were never trained, but decode to smooth closed blobs."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gen3d_core import direction_files, zoo
from gen3d_core.cards import Card
from gen3d_core.directions import Directions
from gen3d_core.run import Run
from gen3d_core.systems.voxels.vae import VoxelVAE

NAME, ABLE, FAULTY = "toy-blobs", "toy-able", "toy-faulty"
#: How much of the cube a shape fills, on average, and how steep its surface is.
FULL_SHARE = 0.12
STEEPNESS = 4.0
SLIDERS = Directions(
    ("Height", "Leg Thickness"),
    np.array([[0.5, 0.0], [0.0, 0.5]], dtype=np.float32),
    (-2.0,) * 2,
    (2.0,) * 2,
    (0.9,) * 2,
)
#: A system that can do everything, and one that goes wrong as it is told: the file, its place in the engine, its class.
HERE, SHELF = Path(__file__).resolve().parent, "gen3d_core.systems.voxels"
SYSTEMS = {
    ABLE: (HERE / "toy_system.py", f"{SHELF}.toys", "Able"),
    FAULTY: (HERE / "faulty_system.py", f"{SHELF}.faults", "Faulty"),
}


def add_to(archive: Path) -> Path:
    """Puts the systems into a built extension, where a system is found by being there; returns its path."""
    with zipfile.ZipFile(archive, "a") as packed:
        for file, place, _ in SYSTEMS.values():
            packed.write(file, place.replace(".", "/") + ".py")
    return archive


def make(folder: Path, names: Sequence[str] = (NAME,)) -> None:
    """Writes a voxel VAE into ``folder``, under each of the names, and behind them one that can do everything.

    The first has two sliders, which change the first numbers of a latent.
    """
    for rank, name in enumerate(names):
        card = _save(VoxelVAE, folder / name, rank - 9)
        if not rank:
            direction_files.write(SLIDERS, card)
    _save(_system(ABLE), folder / ABLE, len(names) - 9)


def make_faulty(folder: Path) -> None:
    """Writes the model that goes wrong as it is told into ``folder``."""
    _save(_system(FAULTY), folder / FAULTY, 50)


def _save(kind: type[VoxelVAE], folder: Path, rank: int) -> Card:
    title = folder.name.replace("-", " ").title()
    return zoo.save(
        _blobs(kind), folder, title=title, licence="CC0-1.0", data="Nothing.", readme=f"# {title}\n", rank=rank
    )


def _system(model: str) -> type[VoxelVAE]:
    """The class, under the name by which the engine will find it."""
    file, place, name = SYSTEMS[model]
    spec = importlib.util.spec_from_file_location(place, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[place] = module
    try:
        spec.loader.exec_module(module)
    finally:
        # No other test is to find it.
        del sys.modules[place]
    return getattr(module, name)


def _blobs(kind: type[VoxelVAE]) -> VoxelVAE:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        system = kind.from_config({"channels": [4, 8, 16, 16], "hidden": 32, "latent": 8}).eval()
        assert isinstance(system, VoxelVAE)
        layers = system.network.deconvolutions
        # Every upsampling is a linear interpolation of mixed channels, so the surface is smooth.
        line = torch.tensor([0.25, 0.75, 0.75, 0.25])
        kernel = line[:, None, None] * line[None, :, None] * line[None, None, :]
        for layer in layers:
            if isinstance(layer, nn.ConvTranspose3d):
                layer.weight.copy_(torch.randn(layer.weight.shape[:2])[:, :, None, None, None] * kernel)
                nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
        for layer in system.network.outward:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(4)
        logits = system.network.decode(system.prior(Run(range(16)))).flatten()
        scale = float(STEEPNESS / logits.std())
        last = layers[-1]
        assert isinstance(last, nn.ConvTranspose3d)
        assert last.bias is not None
        last.weight.mul_(scale)
        last.bias.fill_(-scale * float(logits.sort().values[int(len(logits) * (1 - FULL_SHARE))]))
    return system
