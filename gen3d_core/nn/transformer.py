"""A causal transformer that can be asked for one element after another.

Vaswani et al., *Attention Is All You Need*, 2017; layers are normalised before they act, as in GPT-2, with GELU. Each
element sees itself and those before it. Keys and values of earlier elements are remembered in a :class:`Cache`, so the
next element costs one pass over one element.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass
class Cache:
    """What is remembered of earlier elements.

    Args:
        keys, values: of every layer, with shape (layers, B, heads, capacity, width / heads).
        length: elements that are remembered.
    """

    keys: Tensor
    values: Tensor
    length: int = 0


class Layer(nn.Module):
    """Attention to earlier elements, then a perceptron on each; both add to what comes in."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention = nn.LayerNorm(width)
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)
        self.before_perceptron = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, cache: Cache | None = None, index: int = 0) -> Tensor:
        """With shape (B, n, width), of the same; with a cache, the elements follow those that it remembers."""
        batch, count, width = x.shape
        split = self.inward(self.before_attention(x)).reshape(batch, count, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        past = 0
        if cache is not None:
            past = cache.length
            cache.keys[index, :, :, past : past + count] = key
            cache.values[index, :, :, past : past + count] = value
            key, value = (kept[index, :, :, : past + count] for kept in (cache.keys, cache.values))
        dropout = self.dropout if self.training else 0.0
        if past and count > 1:
            seen = torch.ones(count, past + count, dtype=torch.bool, device=x.device).tril(past)
            mixed = functional.scaled_dot_product_attention(query, key, value, seen, dropout)
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, None, dropout, is_causal=count > 1)
        x = x + functional.dropout(self.outward(mixed.transpose(1, 2).reshape(batch, count, width)), dropout)
        return x + self.perceptron(self.before_perceptron(x))


class Transformer(nn.Module):
    """Layers of causal attention.

    Args:
        layers: how many.
        width: numbers an element, a multiple of ``heads``.
        heads: of the attention.
        hidden: width inside the perceptrons.
        dropout: share of what each layer adds that is left out in training.
    """

    def __init__(self, layers: int, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.layers = nn.ModuleList(Layer(width, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """With shape (B, n, width), of the same. With a cache, the elements follow those before, and join them."""
        for index, layer in enumerate(self.layers):
            x = layer(x, cache, index)
        if cache is not None:
            cache.length += x.shape[1]
        return self.norm(x)

    def cache(self, batch: int, capacity: int, device: torch.device) -> Cache:
        """An empty one for ``batch`` sequences of at most ``capacity`` elements."""
        size = (len(self.layers), batch, self.heads, capacity, self.width // self.heads)
        return Cache(torch.zeros(size, device=device), torch.zeros(size, device=device))
