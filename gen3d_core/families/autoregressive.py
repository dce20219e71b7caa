"""Autoregressive models of codes, in any order.

A shape is N codes at N places. By the chain rule, for every order o of the places,

    log p(x) = sum_i log p(x_o(i) | x_o(1), ..., x_o(i - 1))

A network that is trained on random orders, to predict the code at a place that it is told from the codes at the places
before it, completes a shape of which any places are given: they come first. The loss is the mean cross-entropy of the
codes, -log p(x) / N. Codes are drawn one after another from the k likeliest, so that rare accidents do not add up.

Another expert q(x_i), that knows a text or a picture but not the other codes, joins by a product of experts,

    log p'(x_i | ...) = (1 - a) log p(x_i | ...) + a log q(x_i) + const

or, where it also says what it expects without having seen anything, by what the text or picture adds:
log p + w (log q(x_i) - log q_0(x_i)), which is Bayes' rule for w = 1 if places were independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

#: Steps (first, ..., last) to the same steps, reporting progress.
Track = Callable[[Iterable[int]], Iterable[int]]


def orders(numbers: Tensor) -> Tensor:
    """Permutations of the places, one a row, with shape (B, N), of uniform numbers (B, N): the lowest comes first."""
    return numbers.argsort(dim=1)


def shifted(codes: Tensor, start: int) -> Tensor:
    """What is known before each code: the one before it, and ``start`` before the first; with shape (B, N)."""
    return torch.cat([torch.full_like(codes[:, :1], start), codes[:, :-1]], dim=1)


def negative_log_likelihood(logits: Tensor, codes: Tensor) -> Tensor:
    """-log p(x) / N of each shape, in nats a code, with shape (B,).

    Args:
        logits: with shape (B, N, K), each from the codes before it alone.
        codes: with shape (B, N).
    """
    return functional.cross_entropy(logits.transpose(1, 2), codes, reduction="none").mean(1)


def top_k(logits: Tensor, k: int) -> Tensor:
    """Logits (..., K) of which all but the ``k`` highest are minus infinity."""
    if k >= logits.shape[-1]:
        return logits
    least = logits.topk(k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def draw(logits: Tensor, numbers: Tensor) -> Tensor:
    """Codes with shape (B,), of logits (B, K) and uniform numbers (B,), by inverting the distribution function."""
    summed = logits.double().softmax(-1).cumsum(-1)
    # Scaled to the sum: rounding must not lead beyond the last code that can be drawn.
    return torch.searchsorted(summed, numbers.double()[:, None] * summed[:, -1:], right=True)[:, 0].clamp_max(
        logits.shape[-1] - 1
    )


def product(prior: Tensor, expert: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) log p + alpha log q, normalised, of logits with shape (..., K)."""
    return ((1 - alpha) * prior.log_softmax(-1) + alpha * expert.log_softmax(-1)).log_softmax(-1)


def added(prior: Tensor, expert: Tensor, ignorant: Tensor, weight: float) -> Tensor:
    """log p + weight (log q - log q_0), normalised, of logits with shape (..., K)."""
    return (prior.log_softmax(-1) + weight * (expert.log_softmax(-1) - ignorant.log_softmax(-1))).log_softmax(-1)


@torch.no_grad()
def sample(
    predict: Callable[[Tensor, int], Tensor],
    given: Tensor,
    count: int,
    numbers: Tensor,
    start: int,
    choose: Callable[[Tensor, int], Tensor],
    track: Track = lambda steps: steps,
) -> Tensor:
    """Draws the codes after those that are given.

    Args:
        predict: codes (B, n) that come before the places ``first`` to ``first + n - 1`` of the order, and ``first``, to
            the logits (B, n, K) of the codes there; it remembers what it was told for lower places.
        given: codes of the first places of the order, with shape (B, M); M may be 0.
        count: N.
        numbers: uniform in [0, 1), with shape (B, N): place i uses number i.
        start: stands for the code before the first.
        choose: logits (B, K) of a place, and its number in the order, to the logits that are drawn from.
        track: reports progress.

    Returns:
        Codes in the order's sequence, with shape (B, N).
    """
    codes = torch.cat([given, given.new_zeros(len(given), count - given.shape[1])], dim=1)
    known = given.shape[1]
    told = 0
    for i in track(range(known, count)):
        logits = predict(shifted(codes, start)[:, told : i + 1], told)[:, -1]
        told = i + 1
        codes[:, i] = draw(choose(logits, i), numbers[:, i])
    return codes
