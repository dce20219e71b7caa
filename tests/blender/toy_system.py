"""Blobs that can be asked for everything: a test puts this file beside the engine's own systems.

Each answer depends on what was asked, and on nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...representations import Voxels
from ...run import Run
from ...system import Asset
from .vae import RESOLUTION, VoxelVAE
from .vae import Config as VAEConfig


@dataclass(frozen=True)
class Config(VAEConfig):
    """classes: that can be asked for."""

    classes: tuple[str, ...] = ("blob", "lump")


class Able(VoxelVAE):
    """A voxel VAE that listens to words and looks at pictures, though it understands neither."""

    Config = Config

    def class_names(self) -> Sequence[str]:
        return self.config.classes

    def from_class(self, name: str, run: Run) -> list[Voxels]:
        return self._of(name, run)

    def from_text(self, text: str, run: Run) -> list[Voxels]:
        return self._of(text, run)

    def image_size(self) -> int:
        return 32

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        return self._of(f"{len(images)} pictures, {float(images.mean()):.6f}", run)

    def complete_guided(
        self, partial: Asset, known: Tensor, text: str, images: Tensor | None, run: Run
    ) -> list[Voxels]:
        return self.complete(partial, known, _told(text, run))

    def classify(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """The more of a shape is up, the more it is a blob."""
        shapes = self._voxels(assets)
        up = shapes[..., RESOLUTION // 2 :].sum((1, 2, 3, 4)) / shapes.sum((1, 2, 3, 4))
        return torch.stack([up, 1 - up], dim=1)

    def features(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return functional.avg_pool3d(self._voxels(assets), 8).flatten(1)

    def refine(self, assets: Sequence[Asset], run: Run) -> list[Voxels]:
        fine = functional.interpolate(self._voxels(assets), scale_factor=2, mode="trilinear")
        return [Voxels(one) for one in fine[:, 0]]

    def _of(self, words: str, run: Run) -> list[Voxels]:
        return self.decode(self.prior(_told(words, run)), run)


def _told(words: str, run: Run) -> Run:
    """Other seeds for other words."""
    return Run([zlib.crc32(f"{words} {seed}".encode()) for seed in run.seeds], run.device)
