"""A system that can do nothing, to which a test adds the one ability that it is about."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gen3d_core.representations import Field
from gen3d_core.run import Run
from gen3d_core.system import Asset, Batch, Stage, System


@dataclass(frozen=True)
class Config:
    """Nothing to configure."""


class Bare(System):
    """Neither learns nor makes anything; has one weight, which tells the device."""

    Config = Config
    output = Field

    def __init__(self, size: float = 0.0) -> None:
        super().__init__()
        self.size = torch.nn.Parameter(torch.tensor(size), requires_grad=False)

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {}

    def stages(self) -> list[Stage]:
        return []
