"""Mixtures of Gaussians on latents: a prior fitted to where the codes of the data are.

    p(z) = sum_k weight_k N(z; mean_k, scale_k scale_k^T),    fitted by expectation maximisation

An autoencoder's codes seldom fill the prior it was trained with; drawing from a density fitted to them afterwards gives
better samples (Ghosh et al., *From Variational to Deterministic Autoencoders*, 2020, who call it ex-post density
estimation).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

KMEANS_ROUNDS = 20
ROUNDS = 20
#: Each component stands for so many shapes at least: with fewer, it would draw them again and nothing between them.
SHAPES = 4


@dataclass(frozen=True)
class Mixture:
    """A mixture of K Gaussians over L numbers.

    Args:
        weights: with shape (K,), summing to 1.
        means: with shape (K, L).
        scales: with shape (K, L, L), lower triangular: Cholesky factors of the covariances.
    """

    weights: Tensor
    means: Tensor
    scales: Tensor

    def draw(self, chooser: Tensor, epsilon: Tensor, temperature: float = 1.0) -> Tensor:
        """Samples, with shape (B, L).

        Args:
            chooser: uniform in [0, 1), with shape (B,): picks the component.
            epsilon: standard normal, with shape (B, L).
            temperature: scales the deviation from the component's mean.
        """
        edges = self.weights.cumsum(0)
        chosen = torch.searchsorted(edges, chooser * edges[-1], right=True).clamp_max(int((self.weights > 0).sum()) - 1)
        return self.means[chosen] + temperature * (self.scales[chosen] @ epsilon[..., None])[..., 0]

    def distances(self, z: Tensor) -> Tensor:
        """Squared Mahalanobis distances of (B, L) latents to each component, with shape (B, K)."""
        # All latents of a component at once: with one system each, its (L, L) factor would be copied for every latent.
        off = (z[:, None] - self.means).permute(1, 2, 0)
        squared = torch.linalg.solve_triangular(self.scales, off, upper=False).pow(2).sum(1).T
        # A component that no shape belongs to is nowhere.
        return squared.masked_fill(self.weights <= 0, torch.inf)

    def log_probability(self, z: Tensor) -> Tensor:
        """log p(z) in nats of (B, L) latents, with shape (B,)."""
        return torch.logsumexp(self._joint(z), dim=1)

    def _joint(self, z: Tensor) -> Tensor:
        """log p(z, k), with shape (B, K)."""
        volume = self.scales.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = 0.5 * self.means.shape[1] * torch.log(torch.tensor(2 * torch.pi, dtype=z.dtype))
        return self.weights.log() - volume - constant - 0.5 * self.distances(z)


def fit(codes: Tensor, components: int, floor: Tensor, shapes: Tensor | None = None, seed: int = 0) -> Mixture:
    """The mixture of best likelihood, from a k-means start.

    Args:
        codes: with shape (N, L).
        components: K; fewer where there are fewer than four different shapes for each.
        floor: added to the variance of every component, with shape (L,): without it a component closes on one code.
        shapes: which shape each code is a variation of, whole numbers with shape (N,); by default each its own.
        seed: of the start.

    Returns:
        The mixture, with K components; those that are not used come last and have no weight.
    """
    x = codes.double().cpu()
    count = len(x)
    different = count if shapes is None else len(shapes.unique())
    wanted, components = components, min(components, max(different // SHAPES, 1))
    generator = torch.Generator().manual_seed(seed)
    means = x[torch.randperm(count, generator=generator)[:components]]
    for _ in range(KMEANS_ROUNDS):
        nearest = torch.cdist(x, means).argmin(1)
        means = torch.stack([x[nearest == k].mean(0) if (nearest == k).any() else means[k] for k in range(components)])
    shares = torch.nn.functional.one_hot(torch.cdist(x, means).argmin(1), components).double()
    found = _maximise(x, shares, floor.double().cpu())
    for _ in range(ROUNDS - 1):
        found = _maximise(x, torch.softmax(found._joint(x), dim=1), floor.double().cpu())
    unused = wanted - components
    weights = torch.cat([found.weights, found.weights.new_zeros(unused)])
    means = torch.cat([found.means, found.means[:1].expand(unused, -1)])
    scales = torch.cat([found.scales, found.scales[:1].expand(unused, -1, -1)])
    return Mixture(weights.float(), means.float(), scales.float())


def register(module: nn.Module, components: int, size: int) -> None:
    """Gives a module's state room for a mixture; until one is kept there, it is standard normal.

    Args:
        module: of which nothing else is called ``mixture_...``.
        components: K.
        size: L.
    """
    module.register_buffer("mixture_weights", torch.ones(components) / components)
    module.register_buffer("mixture_means", torch.zeros(components, size))
    module.register_buffer("mixture_scales", torch.eye(size).expand(components, size, size).clone())


def keep(module: nn.Module, fitted: Mixture) -> None:
    """Keeps a mixture, of the size that was registered, in a module's state."""
    module.get_buffer("mixture_weights").copy_(fitted.weights)
    module.get_buffer("mixture_means").copy_(fitted.means)
    module.get_buffer("mixture_scales").copy_(fitted.scales)


def kept(module: nn.Module) -> Mixture:
    """The mixture in a module's state."""
    return Mixture(*(module.get_buffer(f"mixture_{part}") for part in ("weights", "means", "scales")))


def _maximise(x: Tensor, shares: Tensor, floor: Tensor) -> Mixture:
    """The mixture that fits codes (N, L) best when component k owns the share (N, K) of each."""
    mass = shares.sum(0).clamp_min(1e-6)
    means = (shares.T @ x) / mass[:, None]
    covariances = [
        ((x - mean) * share[:, None]).T @ (x - mean) / m for mean, share, m in zip(means, shares.T, mass, strict=True)
    ]
    scales = torch.linalg.cholesky(torch.stack(covariances) + torch.diag(floor))
    return Mixture(mass / mass.sum(), means, scales)
