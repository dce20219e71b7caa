"""What encoders of pictures learn from: other colours, other backgrounds, not quite in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from ..system import Noise


def before_paper(images: Tensor, noise: Noise | None = None) -> Tensor:
    """Pictures before a background, and what of them the object covers.

    Args:
        images: with shape (B, V, 4, S, S), in [0, 1], straight alpha.
        noise: draws the background: half of them light, the others of any colour; without it, it is white.

    Returns:
        The same with the colours over the background.
    """
    paper = images.new_ones(*images.shape[:2], 3, 1, 1)
    if noise is not None:
        drawn = noise.rand(len(images), images.shape[1], 4)[..., None, None]
        paper = torch.where(drawn[:, :, 3:] < 0.5, 0.88 + 0.12 * drawn[:, :, :3], drawn[:, :, :3])
    alpha = images[:, :, 3:]
    return torch.cat([alpha * images[:, :, :3] + (1 - alpha) * paper, alpha], dim=2)


def disturbed(images: Tensor, noise: Noise) -> Tensor:
    """Pictures (B, V, 4, S, S) in other colours, a little larger or smaller and a little off the middle.

    What is learnt must not hang on the colours of the shapes that were seen, nor on exactly cut out pictures.
    """
    count, views = images.shape[:2]
    gains = (0.3 * noise.randn(count, 1, 3, 1, 1) + 0.3 * noise.randn(count, 1, 1, 1, 1)).exp()
    colours, alpha = (images[:, :, :3] * gains).clamp(0, 1), images[:, :, 3:]
    grey = colours.mean(2, keepdim=True)
    colours = grey + noise.rand(count, 1, 1, 1, 1).mul(1.5).clamp_max(1) * (colours - grey)
    drawn = noise.rand(count, views, 3).flatten(0, 1) - 0.5
    move = torch.zeros(count * views, 2, 3, device=images.device)
    move[:, 0, 0] = move[:, 1, 1] = 1 + 0.1 * drawn[:, 0]
    move[:, :, 2] = 0.08 * drawn[:, 1:]
    flat = torch.cat([alpha * colours, alpha], dim=2).flatten(0, 1)
    placed = functional.grid_sample(
        flat, functional.affine_grid(move, list(flat.shape), align_corners=False), align_corners=False
    )
    covered = placed[:, 3:]
    straight = torch.where(covered > 1e-3, placed[:, :3] / covered.clamp_min(1e-3), 0.0)
    return torch.cat([straight.clamp(0, 1), covered], dim=1).reshape(images.shape)
