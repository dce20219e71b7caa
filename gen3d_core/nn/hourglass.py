"""A network that judges a grid of binary cells by their context: down to a coarse grid, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import gathered, scattered


class Hourglass(nn.Module):
    """The context of cells, and the energy of what they are in it.

        f(l) = sum log((1 + exp(l + o + c)) / ((1 + exp(o + c)) (1 + exp(l + o)))) + g

    Were cells independent, but for a context that tells their log-odds o + c, then f with the likelihood of that
    context as g would be exact. c and g are read off what is seen of l itself: down to a grid an eighth as wide, and
    back to one half as wide. What leads from one grid to the next is linear in blocks of 2^3 cells, and each grid has a
    learned bias for every place: assets stand upright and in the middle.

    Args:
        channels: of the grids half, a quarter and an eighth as wide.
        resolution: R, a multiple of 8.
        felt: sizes of log-odds that it can tell.
    """

    def __init__(self, channels: tuple[int, ...], resolution: int, felt: Sequence[float]) -> None:
        super().__init__()
        fine, middle, coarse = channels
        side = resolution // 2
        self.felt = tuple(felt)
        self.near = nn.Conv3d(len(self.felt) * 8, fine, 3, padding=1)
        self.places = nn.ParameterList(
            torch.zeros(width, *(side >> level,) * 3) for level, width in enumerate(channels)
        )
        self.to_middle, self.middle = nn.Conv3d(8 * fine, middle, 1), Residual(middle)
        self.to_coarse, self.coarse = nn.Conv3d(8 * middle, coarse, 1), Residual(coarse)
        self.from_coarse, self.again = nn.Conv3d(coarse, 8 * middle, 1), Residual(middle)
        self.from_middle, self.last = nn.Conv3d(middle, 8 * fine, 1), nn.Conv3d(fine, fine, 3, padding=1)
        self.context = nn.Conv3d(fine, 8, 1)
        self.judges = nn.ModuleList(nn.Conv3d(width, 1, 1) for width in (fine, coarse, fine))
        # Untrained, there is nothing to tell.
        for end in (self.context, *self.judges):
            for p in end.parameters():
                nn.init.zeros_(p)

    def forward(self, odds: Tensor, usual: Tensor) -> Tensor:
        """f, with shape (B,), of log-odds l of cells (B, R, R, R), and o (R, R, R)."""
        # From what much noise leaves of a cell to what is known.
        felt = torch.stack([(odds / size).tanh() for size in self.felt], dim=1)
        near = functional.silu(self.near(gathered(felt)) + self.places[0])
        middle = self.middle(self.to_middle(gathered(near)) + self.places[1])
        coarse = functional.silu(self.coarse(self.to_coarse(gathered(functional.silu(middle))) + self.places[2]))
        back = functional.silu(self.again(middle + scattered(self.from_coarse(coarse))))
        last = functional.silu(self.last(functional.silu(near + scattered(self.from_middle(back)))))
        # Sums over so many cells are not for half precision. Nor is what leads to them: the second derivative of so few
        # channels ends the process there, by a division in PyTorch 2.13's kernels for processors with AMX.
        with torch.autocast(odds.device.type, enabled=False):
            expected = usual + scattered(self.context(last.float()))[:, 0]
        parts = [
            functional.softplus(odds + expected) - functional.softplus(expected) - functional.softplus(odds + usual)
        ]
        parts += [judge(x).float() for judge, x in zip(self.judges, (near, coarse, last), strict=True)]
        return torch.stack([part.flatten(1).sum(1) for part in parts]).sum(0)


class Residual(nn.Module):
    """Two convolutions, and what goes into them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(width, width, 3, padding=1)
        self.second = nn.Conv3d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Of (B, width, R, R, R), of the same size."""
        return x + self.second(functional.silu(self.first(functional.silu(x))))
