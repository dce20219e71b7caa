"""Generative adversarial networks: a generator G and a discriminator (or critic) D play a game.

The original game (Goodfellow et al., 2014), with D's answers as logits and the generator's non-saturating loss:

    L_D = -E_x[log D(x)] - E_z[log(1 - D(G(z)))]        L_G = -E_z[log D(G(z))]

The Wasserstein game with gradient penalty (Gulrajani et al., 2017), with D's answers as scores:

    L_D = E_z[D(G(z))] - E_x[D(x)] + weight * E[(|grad D(u x + (1 - u) G(z))| - 1)^2]        L_G = -E_z[D(G(z))]
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def discriminator_loss(real: Tensor, fake: Tensor, smooth: float = 1.0) -> Tensor:
    """L_D of the original game.

    Args:
        real, fake: logits of D, each with shape (B,).
        smooth: target for real examples; below 1 is one-sided label smoothing.
    """
    return functional.binary_cross_entropy_with_logits(
        real, torch.full_like(real, smooth)
    ) + functional.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))


def generator_loss(fake: Tensor) -> Tensor:
    """L_G of the original game, from logits with shape (B,)."""
    return functional.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def accuracy(real: Tensor, fake: Tensor) -> float:
    """Share of logits with the right sign, over both."""
    return float(((real > 0).float().mean() + (fake <= 0).float().mean()) / 2)


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """L_D of the Wasserstein game without its penalty, from scores with shape (B,)."""
    return fake.mean() - real.mean()


def wasserstein_generator_loss(fake: Tensor) -> Tensor:
    """L_G of the Wasserstein game, from scores with shape (B,)."""
    return -fake.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E[(|grad D| - 1)^2] between real and fake examples.

    Args:
        critic: examples (B, ...) to scores (B,).
        real, fake: examples with shape (B, ...), without gradients.
        mix: one number in [0, 1) an example, with shape (B,).
    """
    u = mix.reshape(-1, *[1] * (real.ndim - 1))
    between = (u * real + (1 - u) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
