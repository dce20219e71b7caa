"""A model for tests of Blender's side: a voxel VAE that was never trained, but decodes to smooth closed blobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from gen3d_core import zoo
from gen3d_core.run import Run
from gen3d_core.systems.voxels.vae import VoxelVAE

NAME = "toy-blobs"
#: How much of the cube a shape fills, on average, and how steep its surface is.
FULL_SHARE = 0.12
STEEPNESS = 4.0


def make(folder: Path, names: Sequence[str] = (NAME,)) -> None:
    """Writes the model into ``folder``, under each of the names."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        system = VoxelVAE.from_config({"channels": [4, 8, 16, 16], "hidden": 32, "latent": 8}).eval()
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
    for rank, name in enumerate(names):
        title = name.replace("-", " ").title()
        zoo.save(
            system, folder / name, title=title, licence="CC0-1.0", data="Nothing.", readme=f"# {title}\n", rank=rank - 9
        )
