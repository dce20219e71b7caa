"""A small encoder of short texts over a closed vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """Learnt vectors of words, mixed with their neighbours, then pooled: what is said, and of what it is said.

    Args:
        words: size of the vocabulary; words are numbered from 1, and 0 is no word.
        width: of the vectors.
        size: of what comes out.
    """

    def __init__(self, words: int, width: int, size: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words + 1, width, padding_idx=0)
        # "four thin legs" and "thin back, four legs" hold the same words: three in a row are seen together.
        self.mixing = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.outward = nn.Sequential(nn.Linear(2 * width, size), nn.GELU())

    def forward(self, words: Tensor) -> Tensor:
        """With shape (B, size), of words (B, T), int64, 0 after the last word; a text may have none."""
        there = (words > 0)[:, None]
        x = self.words(words).transpose(1, 2)
        for mix in self.mixing:
            x = (x + nn.functional.gelu(mix(x))) * there
        mean = x.sum(2) / there.sum(2).clamp_min(1)
        highest = x.masked_fill(~there, -torch.inf).amax(2)
        highest = torch.where(there.any(2), highest, torch.zeros_like(highest))
        return self.outward(torch.cat([mean, highest], dim=1))
