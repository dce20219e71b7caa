"""The one training: every family, resumable, against the clock or by steps, in one process or in many.

``train`` is the loop; around it are the checkpoint, the history of losses, and the team of processes. ``Session`` tells
a run folder how a training goes and obeys what is asked there.
"""

from __future__ import annotations

from ..runs import CHECKPOINT
from .examples import Collection, Variation, gather, prepare, split
from .loop import Moment, Plan, Watch, train
from .session import Session, heeding, samples
from .team import Team

__all__ = [
    "CHECKPOINT",
    "Collection",
    "Moment",
    "Plan",
    "Session",
    "Team",
    "Variation",
    "Watch",
    "gather",
    "heeding",
    "prepare",
    "samples",
    "split",
    "train",
]
