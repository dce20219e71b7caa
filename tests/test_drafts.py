"""Frames of a drag: the same meshes as by themselves, for less work, and the last one exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gen3d_core.representations import Field, MeshOptions
from gen3d_core.representations.isosurface import extract
from gen3d_core.worker.drafts import KEPT, Drafts

R = 32


class Counted:
    """A ball at a place, which counts the points that it is asked for."""

    def __init__(self, x: float, radius: float = 0.25) -> None:
        self.x, self.radius, self.asked = x, radius, 0

    def __call__(self, points: Tensor) -> Tensor:
        self.asked += len(points)
        return (points - torch.tensor([self.x, 0.0, 0.0])).norm(dim=1) - self.radius


@pytest.mark.parametrize("quads", [False, True])
def test_frames_of_a_drag_are_the_meshes_of_their_shapes_for_less_work(quads: bool) -> None:
    drafts, options = Drafts(), MeshOptions(R, quads=quads)
    for i in range(8):
        drawn, alone = Counted(-0.1 + 0.01 * i), Counted(-0.1 + 0.01 * i)
        warm = drafts.sampled(Field(drawn), R, "drag", draft=True).values
        cold = Drafts().sampled(Field(alone), R).values
        one, two = extract(warm, 0.0, options), extract(cold, 0.0, options)
        assert np.array_equal(one.faces, two.faces)
        assert np.allclose(one.vertices, two.vertices, atol=1e-6)
        assert i == 0 or drawn.asked < alone.asked


def test_the_last_frame_is_exact_whatever_was_before() -> None:
    drafts = Drafts()
    drafts.sampled(Field(Counted(-0.2)), R, "drag", draft=True)
    last, alone = Counted(0.2), Counted(0.2)
    found = drafts.sampled(Field(last), R, "drag").values
    assert torch.equal(found, Field(alone).grid(R).values)
    assert last.asked == alone.asked


def test_streams_do_not_disturb_one_another() -> None:
    drafts = Drafts()
    for i in range(3):
        for name, x in (("one", -0.2), ("two", 0.2)):
            drawn, alone = Counted(x + 0.01 * i), Counted(x + 0.01 * i)
            found = drafts.sampled(Field(drawn), R, name, draft=True)
            assert torch.equal(found.values < 0, Field(alone).dense(R) < 0)
            assert i == 0 or found.queries < 0.5 * R**3
    for i in range(2 * KEPT):
        drafts.sampled(Field(Counted(0.0)), R, str(i), draft=True)
    assert len(drafts._last) == KEPT
