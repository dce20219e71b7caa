"""Grids cut into cubes: each is encoded by itself, all are decoded together.

Mittal, Cheng, Singh and Tulsiani, *AutoSDF: Shape Priors for 3D Completion, Reconstruction and Generation*, CVPR 2022.
What a cube's vector says depends on that cube alone, so a shape of which a part is known has the vectors of that part.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


def cut(grid: Tensor, cube: int) -> Tensor:
    """Cubes with shape (B, n, n, n, cube, cube, cube), of grids (B, n * cube, n * cube, n * cube)."""
    n = grid.shape[1] // cube
    return grid.reshape(len(grid), n, cube, n, cube, n, cube).permute(0, 1, 3, 5, 2, 4, 6)


def joined(cubes: Tensor) -> Tensor:
    """Grids with shape (B, n * cube, n * cube, n * cube), of cubes (B, n, n, n, cube, cube, cube)."""
    n, cube = cubes.shape[1], cubes.shape[4]
    return cubes.permute(0, 1, 4, 2, 5, 3, 6).reshape(len(cubes), n * cube, n * cube, n * cube)


class Doubling(nn.Module):
    """Twice the cells along each side: each becomes eight, of what it holds alone."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Conv3d(before, 8 * after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """With shape (B, after, 2 R, 2 R, 2 R), of (B, before, R, R, R)."""
        batch, _, side = x.shape[:3]
        cells = self.layer(x).reshape(batch, 2, 2, 2, -1, side, side, side)
        return cells.permute(0, 4, 5, 1, 6, 2, 7, 3).reshape(batch, -1, *[2 * side] * 3)


class Residual(nn.Module):
    """Two convolutions that add to what comes in."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_groups(before), before),
            nn.SiLU(),
            nn.Conv3d(before, after, 3, padding=1),
            nn.GroupNorm(_groups(after), after),
            nn.SiLU(),
            nn.Conv3d(after, after, 3, padding=1),
        )
        self.skip = nn.Conv3d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """With shape (B, after, R, R, R), of (B, before, R, R, R)."""
        return self.skip(x) + self.layers(x)


class Attention(nn.Module):
    """Every cell attends to every cell; adds to what comes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_groups(channels), channels)
        self.inward = nn.Conv3d(channels, 3 * channels, 1)
        self.outward = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """With shape (B, C, R, R, R), of the same."""
        query, key, value = self.inward(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.outward(mixed.transpose(1, 2).reshape(x.shape))


class CubeEncoder(nn.Module):
    """A vector for each cube, of that cube alone.

    Args:
        cube: cells along its side.
        widths: channels at the cube's own cells and after each halving, down to one cell; of one width, a perceptron
            reads the whole cube at once, which costs a hundredth.
        size: of the vector.
        attention: at the cube's own cells.
    """

    def __init__(self, cube: int, widths: Sequence[int], size: int, attention: bool) -> None:
        super().__init__()
        self.cube = cube
        first, last = widths[0], widths[-1]
        if len(widths) == 1:
            self.layers = nn.Sequential(
                nn.Flatten(),
                nn.Linear(cube**3, first),
                nn.GELU(),
                nn.Linear(first, first),
                nn.GELU(),
                nn.Linear(first, size),
            )
        else:
            layers: list[nn.Module] = [nn.Conv3d(1, first, 3, padding=1), Residual(first, first)]
            layers += [Attention(first)] if attention else []
            for before, after in pairwise(widths):
                layers += [nn.Conv3d(before, before, 3, stride=2, padding=1), Residual(before, after)]
            side = -(-cube // 2 ** (len(widths) - 1))
            self.layers = nn.Sequential(
                *layers, nn.GroupNorm(_groups(last), last), nn.SiLU(), nn.Flatten(), nn.Linear(last * side**3, size)
            )

    def forward(self, grid: Tensor) -> Tensor:
        """Vectors with shape (B, n, n, n, size), of grids (B, n * cube, n * cube, n * cube)."""
        cubes = cut(grid, self.cube)
        vectors = self.layers(cubes.reshape(-1, 1, *[self.cube] * 3)).reshape(*cubes.shape[:4], -1)
        # All have one length: distances between vectors then mean the same everywhere.
        return functional.layer_norm(vectors, vectors.shape[-1:])


class CubeDecoder(nn.Module):
    """A grid, of the vectors of all its cubes: neighbours are seen.

    Args:
        cube: cells along a cube's side.
        widths: channels at one cell a cube, and after each doubling; the rest of the way to the cube's own cells is one
            step.
        size: of the vectors.
        attention: at one cell a cube.
    """

    def __init__(self, cube: int, widths: Sequence[int], size: int, attention: bool) -> None:
        super().__init__()
        first, last = widths[0], widths[-1]
        self.rest = cube // 2 ** (len(widths) - 1)
        layers: list[nn.Module] = [nn.Conv3d(size, first, 3, padding=1), Residual(first, first)]
        layers += [Attention(first), Residual(first, first)] if attention else []
        for before, after in pairwise(widths):
            layers += [Doubling(before, after), Residual(after, after)]
        head = nn.Conv3d(last, self.rest**3, 3, padding=1)
        nn.init.constant_(head.bias, 0.5)  # type: ignore[arg-type]  # most cells are far outside
        self.layers = nn.Sequential(*layers, nn.GroupNorm(_groups(last), last), nn.SiLU(), head)

    def forward(self, vectors: Tensor) -> Tensor:
        """Grids with shape (B, n * cube, n * cube, n * cube), of vectors (B, n, n, n, size)."""
        x = self.layers(vectors.permute(0, 4, 1, 2, 3))
        cells = x.permute(0, 2, 3, 4, 1)
        return joined(cells.reshape(*cells.shape[:4], *[self.rest] * 3))


class CodePredictor(nn.Module):
    """Logits of the code at each place by itself, of one vector that describes the whole shape.

    Args:
        size: of the vector.
        channels: of the grid that it becomes.
        side: n, places along one side, even.
        codes: K.
    """

    def __init__(self, size: int, channels: int, side: int, codes: int) -> None:
        super().__init__()
        half = side // 2
        self.layers = nn.Sequential(
            nn.Linear(size, channels * half**3),
            nn.Unflatten(1, (channels, half, half, half)),
            nn.Upsample(scale_factor=2),
            nn.Conv3d(channels, 2 * channels, 3, padding=1),
            Residual(2 * channels, 2 * channels),
            nn.GroupNorm(_groups(channels), 2 * channels),
            nn.SiLU(),
            nn.Conv3d(2 * channels, codes, 1),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """With shape (B, n^3, K), of vectors (B, size)."""
        return self.layers(vectors).flatten(2).transpose(1, 2)


def fourier(places: Tensor, projection: Tensor) -> Tensor:
    """Sines and cosines of positions (..., 3) along the columns of a projection (3, F), with shape (..., 2 F)."""
    phases = places @ projection
    return torch.cat([phases.sin(), phases.cos()], dim=-1)


def _groups(channels: int) -> int:
    return GROUPS if channels % GROUPS == 0 else 1
