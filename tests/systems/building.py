"""Systems with reproducible weights, for tests of one system each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch

from gen3d_core.system import System

Kind = TypeVar("Kind", bound=System)


def awake(kind: type[Kind], config: Mapping[str, Any], seed: int = 0) -> Kind:
    """Untrained, as a training gets it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        system = kind.from_config(dict(config))
    assert isinstance(system, kind)
    return system


def asleep(kind: type[Kind], config: Mapping[str, Any], seed: int = 0) -> Kind:
    """Untrained, as it is used: nothing in it learns."""
    return awake(kind, config, seed).eval().requires_grad_(False)
