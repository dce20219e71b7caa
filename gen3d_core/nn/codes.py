"""Codes at the places of a grid: to them and back, each from those before it, and all of them from a text or a picture.

Mittal, Cheng, Singh and Tulsiani, *AutoSDF: Shape Priors for 3D Completion, Reconstruction and Generation*, CVPR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..families import vq
from .patchwise import CodePredictor, CubeDecoder, CubeEncoder, fourier
from .text import TextEncoder
from .transformer import Cache, Transformer

if TYPE_CHECKING:
    from ..system import Noise


class Autoencoder(nn.Module):
    """Grids of distances, in units of the truncation, to codes and back.

    Args:
        encoder, decoder: of the cubes.
        codebook: between them.
        warm: steps before vectors are replaced by codes, where these follow running means.
        beta: weight of the commitment.
    """

    steps: Tensor

    def __init__(
        self, encoder: CubeEncoder, decoder: CubeDecoder, codebook: vq.Codebook, warm: int, beta: float
    ) -> None:
        super().__init__()
        self.warm, self.beta = warm, beta
        self.encoder, self.decoder, self.codebook = encoder, decoder, codebook
        self.register_buffer("steps", torch.tensor(0))

    def encode(self, grids: Tensor) -> Tensor:
        """Codes with shape (B, n^3), of grids (B, R, R, R)."""
        return self.codebook.encode(self.encoder(grids)).flatten(1)

    def decode(self, codes: Tensor, side: int) -> Tensor:
        """Grids with shape (B, R, R, R), of codes (B, n^3)."""
        return self.decoder(self.codebook.decode(codes).unflatten(1, (side, side, side)))

    def forward(self, grids: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """A training step's grids, and the loss that holds codes and vectors together."""
        # Codes and their running means are kept in single precision, whatever the networks compute in.
        z = self.encoder(grids).float()
        flat = z.flatten(0, 3)
        warm = int(self.steps) < self.warm
        self.steps += 1
        if warm and self.codebook.decay:
            # Codes that are chosen before there is anything to tell apart stay badly spread.
            return self.decoder(z), 0.0 * z.mean()
        numbers = torch.rand(len(self.codebook.counts), generator=noise.generator).to(z.device)
        with torch.no_grad():
            # The leading process's vectors count where one must choose, so that all have the same codes.
            leads = noise.share.start in (None, 0)
            if int(self.steps) == self.warm + 1:
                self.codebook.start(flat, numbers)
                self._share(noise, leads)
        codes = self.codebook.encode(flat)
        quantised = self.codebook.decode(codes)
        loss = self.beta * vq.commitment(flat, quantised)
        if not self.codebook.decay:
            loss = loss + vq.codebook_loss(flat, quantised)
        passed = vq.straight_through(flat, quantised).reshape(z.shape)
        self.codebook.follow(flat.detach(), codes, noise.total)
        self.codebook.revive(flat.detach(), codes, numbers)
        self._share(noise, leads)
        return self.decoder(passed), loss

    @torch.no_grad()
    def _share(self, noise: Noise, leads: bool) -> None:
        """Gives all processes the leading one's codes."""
        if noise.whole is not None:
            for value in (self.codebook.vectors, self.codebook.counts, self.codebook.sums):
                value.copy_(noise.total(value * float(leads)))


class Prior(nn.Module):
    """Logits of each code from those before it, in an order that is told.

    Args:
        side: n, places along one side.
        codes: K.
        size: D, of the codes' vectors.
        frequencies: of the embedding of places.
        scale: deviation of these frequencies, in radians for half the grid's side.
        transformer: mixes what is known before each place.
    """

    projection: Tensor
    places: Tensor

    def __init__(
        self, side: int, codes: int, size: int, frequencies: int, scale: float, transformer: Transformer
    ) -> None:
        super().__init__()
        axis = (torch.arange(side) + 0.5) / side * 2 - 1
        places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        # Before the first code is a place outside the grid.
        self.register_buffer("places", torch.cat([places, torch.full((1, 3), -2.0)]), persistent=False)
        self.register_buffer("projection", scale * torch.randn(3, frequencies))
        self.start = nn.Parameter(torch.randn(1, size))
        self.fuse = nn.Linear(size + 4 * frequencies, transformer.width)
        self.transformer = transformer
        self.head = nn.Linear(transformer.width, codes)

    def forward(
        self, vectors: Tensor, before: Tensor, order: Tensor, first: int = 0, cache: Cache | None = None
    ) -> Tensor:
        """Logits with shape (B, n, K).

        Args:
            vectors: of the codes, with shape (K, D).
            before: the code before each, K before the first, with shape (B, n).
            order: of all places, with shape (B, N).
            first: number in the order of the first place that is asked for.
            cache: remembers the places before that.
        """
        table = torch.cat([vectors.detach(), self.start])
        outside = torch.full_like(order[:, :1], len(self.places) - 1)
        route = torch.cat([outside, order], dim=1)
        embedded = fourier(self.places, self.projection)
        count = before.shape[1]
        parts = [
            functional.embedding(before, table),
            embedded[route[:, first : first + count]],
            # Without the place that is to be predicted, a random order has no answer.
            embedded[route[:, first + 1 : first + count + 1]],
        ]
        return self.head(self.transformer(self.fuse(torch.cat(parts, dim=-1)), cache))


class TextExpert(nn.Module):
    """Logits of the code at each place, of a text.

    Args:
        side, codes: as for :class:`Prior`.
        words: size of the vocabulary.
        wide: published widths; else small ones.
    """

    def __init__(self, side: int, codes: int, words: int, wide: bool) -> None:
        super().__init__()
        size = 1024 if wide else 64
        self.encoder = TextEncoder(words, 512 if wide else 40, size)
        self.predictor = CodePredictor(size, 128 if wide else 24, side, codes)

    def forward(self, words: Tensor) -> Tensor:
        """With shape (B, n^3, K), of words (B, T)."""
        return self.predictor(self.encoder(words))


class ImageExpert(nn.Module):
    """Logits of the code at each place, of a picture.

    Args:
        side, codes, wide: as for :class:`TextExpert`.
        picture: pixels along each side.
    """

    def __init__(self, side: int, codes: int, picture: int, wide: bool) -> None:
        super().__init__()
        a, b, c = (64, 128, 256) if wide else (16, 32, 48)
        size = 1024 if wide else 64
        self.encoder = nn.Sequential(
            nn.Conv2d(4, a, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(a, b, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(b, c, 4, 2, 1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(c * (picture // 8) ** 2, size),
            nn.GELU(),
        )
        self.predictor = CodePredictor(size, 128 if wide else 16, side, codes)

    def forward(self, pictures: Tensor) -> Tensor:
        """With shape (B, n^3, K), of pictures (B, 4, S, S), RGBA in [0, 1]."""
        # What is transparent has no colour.
        colour, alpha = pictures[:, :3], pictures[:, 3:]
        return self.predictor(self.encoder(torch.cat([colour * alpha, alpha], dim=1)))


@dataclass(frozen=True)
class Expert:
    """What a text or pictures say.

    Args:
        told, untold: logits of the code at each place with them and without, each with shape (1, n^3, K).
        weight: of this expert.
    """

    told: Tensor
    untold: Tensor
    weight: float

    def gains(self, codes: Tensor) -> Tensor:
        """Nats by which codes (B, n^3) are likelier with the text or the pictures than without; with shape (B,)."""
        added = (self.told.log_softmax(-1) - self.untold.log_softmax(-1)).expand(len(codes), -1, -1)
        return added.gather(2, codes[..., None])[..., 0].sum(1)
