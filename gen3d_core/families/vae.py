"""Variational autoencoders (Kingma and Welling, 2014): maximise the evidence lower bound

    ELBO = E_{z ~ q(z|x)}[log p(x|z)] - KL(q(z|x) || N(0, I))

with a Gaussian posterior q of diagonal covariance, by the reparametrisation z = mu + sigma * epsilon.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reparametrise(mean: Tensor, log_variance: Tensor, epsilon: Tensor) -> Tensor:
    """Samples of the posterior, with shape (B, L), from standard normal ``epsilon`` of the same shape."""
    return mean + (0.5 * log_variance).exp() * epsilon


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag exp(log_variance)) || N(0, I)) in nats, with shape (B,)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def weighted_bernoulli(logits: Tensor, occupied: Tensor, weight: float) -> Tensor:
    """Cross-entropy of occupancies, where a missed full cell costs weight / (1 - weight) times a falsely filled one.

    Args:
        logits, occupied: with shape (B, ...); ``occupied`` in [0, 1].
        weight: of full cells, in (0, 1); 0.5 is half of the plain cross-entropy.

    Returns:
        The sum over all cells, in nats, with shape (B,).
    """
    full = weight * occupied * functional.softplus(-logits)
    empty = (1 - weight) * (1 - occupied) * functional.softplus(logits)
    return (full + empty).flatten(1).sum(1)
