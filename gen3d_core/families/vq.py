"""Vector quantisation: each vector is replaced by the nearest of K learnt ones, so that a shape becomes a few integers.

With z an encoder's output and e_1 .. e_K the codebook (van den Oord, Vinyals and Kavukcuoglu, *Neural Discrete
Representation Learning*, 2017),

    k(z) = argmin_k |z - e_k|^2,    q(z) = e_k(z)

Choosing has no gradient, so the decoder's gradient is passed straight through: it gets ``z + sg(q - z)``, where sg
stops gradients. Two terms hold codes and vectors together,

    codebook loss   |sg(z) - e|^2        commitment   beta |z - sg(e)|^2

and instead of the first, the codes can follow running means of the vectors that chose them,

    N_k <- g N_k + (1 - g) n_k,    m_k <- g m_k + (1 - g) sum of z with k(z) = k,    e_k = m_k / N_k

Codes start as the means that k-means finds; a code that is chosen hardly any more moves to a vector that is badly
represented, or the codebook would collapse onto a few codes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

#: A code that is chosen less often in a batch, on the running mean, is dead.
DEAD = 0.1
#: Added to running counts, so that none is divided by nothing.
SMOOTHING = 1e-5


def nearest(z: Tensor, vectors: Tensor) -> Tensor:
    """Number of the nearest code of each vector, with shape (N,).

    Args:
        z: with shape (N, D).
        vectors: of the codes, with shape (K, D).
    """
    # In single precision under autocast too: rounded distances would choose wrong codes.
    with torch.autocast(z.device.type, enabled=False):
        # |z|^2 is the same for all codes.
        return (vectors.pow(2).sum(1) - 2 * z.float() @ vectors.float().T).argmin(1)


def straight_through(z: Tensor, quantised: Tensor) -> Tensor:
    """The value of ``quantised`` with the gradient of ``z``, of equal shapes."""
    return z + (quantised - z).detach()


def commitment(z: Tensor, quantised: Tensor) -> Tensor:
    """Mean squared distance that moves the vectors to their codes, not the codes."""
    return functional.mse_loss(z, quantised.detach())


def codebook_loss(z: Tensor, quantised: Tensor) -> Tensor:
    """Mean squared distance that moves the codes to their vectors, not the vectors."""
    return functional.mse_loss(quantised, z.detach())


@torch.no_grad()
def kmeans(z: Tensor, numbers: Tensor, rounds: int = 10) -> Tensor:
    """Centres with shape (K, D): drawn far from one another (k-means++), then moved to their vectors' means.

    Args:
        z: with shape (N, D).
        numbers: uniform in [0, 1), one a centre, with shape (K,).
        rounds: of moving.
    """
    centres = z[int(numbers[0] * len(z))][None]
    error = (z - centres).pow(2).sum(1)
    for number in numbers[1:]:
        fresh = z[_drawn(error, number[None])]
        centres = torch.cat([centres, fresh])
        error = torch.minimum(error, (z - fresh).pow(2).sum(1))
    for _ in range(rounds):
        counts, sums = _gathered(z, nearest(z, centres), len(centres))
        centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), centres)
    return centres


class Codebook(nn.Module):
    """The codes, and how they learn.

    Args:
        count: K.
        size: D.
        decay: g of the running means; 0 learns the codes by gradients of :func:`codebook_loss` instead.
    """

    counts: Tensor
    sums: Tensor
    vectors: Tensor

    def __init__(self, count: int, size: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        start = torch.randn(count, size)
        if decay:
            self.register_buffer("vectors", start)
        else:
            self.vectors = nn.Parameter(start)
        self.register_buffer("counts", torch.ones(count))
        self.register_buffer("sums", start.detach().clone())

    def encode(self, z: Tensor) -> Tensor:
        """Codes with shape (...), of vectors (..., D)."""
        return nearest(z.reshape(-1, z.shape[-1]), self.vectors).reshape(z.shape[:-1])

    def decode(self, codes: Tensor) -> Tensor:
        """Vectors with shape (..., D), of codes (...)."""
        return functional.embedding(codes, self.vectors)

    @torch.no_grad()
    def start(self, z: Tensor, numbers: Tensor) -> None:
        """Puts the codes where k-means finds the vectors (N, D); ``numbers`` as for :func:`kmeans`."""
        self.vectors.copy_(kmeans(z, numbers))
        self.counts.fill_(1.0)
        self.sums.copy_(self.vectors)

    @torch.no_grad()
    def follow(self, z: Tensor, codes: Tensor, total: Callable[[Tensor], Tensor] = lambda values: values) -> None:
        """Moves the running means, and without gradients the codes, towards a batch.

        Args:
            z: with shape (N, D).
            codes: that they chose, with shape (N,).
            total: sums over all processes.
        """
        decay = self.decay or 0.99
        counts, sums = (total(values) for values in _gathered(z, codes, len(self.counts)))
        self.counts.lerp_(counts, 1 - decay)
        self.sums.lerp_(sums, 1 - decay)
        if self.decay:
            self.vectors.copy_(self.sums / (self.counts + SMOOTHING)[:, None])

    @torch.no_grad()
    def revive(self, z: Tensor, codes: Tensor, numbers: Tensor) -> Tensor:
        """Moves dead codes to vectors of a batch, the likelier the worse these are represented.

        Args:
            z, codes: as for :meth:`follow`.
            numbers: uniform in [0, 1), one a code, with shape (K,).

        Returns:
            Which codes were dead, with shape (K,), bool.
        """
        dead = self.counts < DEAD
        error = (z - self.decode(codes)).pow(2).sum(1)
        fresh = z[_drawn(error, numbers)]
        self.vectors.copy_(torch.where(dead[:, None], fresh, self.vectors))
        self.counts.masked_fill_(dead, 1.0)
        self.sums.copy_(torch.where(dead[:, None], fresh, self.sums))
        return dead


def _gathered(z: Tensor, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """How many vectors chose each code (K,), and their sums (K, D)."""
    counts = torch.zeros(count, dtype=z.dtype, device=z.device).index_add_(0, codes, torch.ones_like(z[:, 0]))
    return counts, torch.zeros(count, z.shape[1], dtype=z.dtype, device=z.device).index_add_(0, codes, z)


def _drawn(weights: Tensor, numbers: Tensor) -> Tensor:
    """Rows drawn in proportion to weights (N,), one for each uniform number (K,)."""
    summed = weights.double().cumsum(0)
    return torch.searchsorted(summed, numbers.to(summed) * summed[-1], right=True).clamp_max(len(weights) - 1)
