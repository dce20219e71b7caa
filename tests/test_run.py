"""Seeds, devices, progress and cancellation."""

from __future__ import annotations

import pytest
import torch

from gen3d_core.errors import BadRequest
from gen3d_core.run import Cancelled, Run, resolve_device


def recording(seeds: list[int]) -> tuple[Run, list[float]]:
    """A run and the fractions that it reports."""
    seen: list[float] = []

    def on_progress(fraction: float) -> bool:
        seen.append(fraction)
        return True

    return Run(seeds, on_progress=on_progress), seen


@pytest.mark.parametrize("draw", ["randn", "rand"])
def test_noise_of_a_seed_does_not_depend_on_its_neighbours(draw: str) -> None:
    together = getattr(Run([3, 5, 3]), draw)(4, 2)
    alone = getattr(Run([5]), draw)(4, 2)
    assert together.shape == (3, 4, 2)
    assert torch.equal(together[1:2], alone)
    assert torch.equal(together[0], together[2])
    assert not torch.equal(together[0], together[1])


def test_noise_is_normal_or_uniform() -> None:
    normal, uniform = Run([0]).randn(20000), Run([0]).rand(20000)
    assert abs(float(normal.mean())) < 0.03
    assert abs(float(normal.std()) - 1) < 0.03
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 0.02


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    run = Run([1, 2])
    run.randn(3)
    run.rand(3)
    next(run.each()).randn(3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(BadRequest, match="out of range"):
        Run([0, seed])


def test_the_largest_seed_is_accepted() -> None:
    assert Run([2**63 - 1]).randn(2).shape == (1, 2)


def test_track_reports_from_zero_to_one_and_gives_every_step() -> None:
    run, seen = recording([0])
    assert list(run.track("abcd")) == list("abcd")
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_progress_stays_within_zero_and_one() -> None:
    run, seen = recording([0])
    run.report(-3)
    run.report(7)
    assert seen == [0.0, 1.0]


def test_spans_nest() -> None:
    run, seen = recording([0])
    with run.span(0.5, 1.0):
        run.report(0.0)
        with run.span(0.5, 0.75):
            run.report(1.0)
        run.report(1.0)
    run.report(1.0)
    assert seen == pytest.approx([0.5, 0.875, 1.0, 1.0])


def test_a_span_ends_also_when_its_body_fails() -> None:
    run, seen = recording([0])
    with pytest.raises(KeyError), run.span(0.2, 0.4):
        raise KeyError
    run.report(0.9)
    assert seen == [0.9]


def test_each_gives_one_fresh_run_a_seed_and_shares_the_progress() -> None:
    run, seen = recording([7, 8])
    run.randn(5)
    values = []
    for one in run.each():
        assert len(one.seeds) == 1
        values.append(one.randn(3))
        for _ in one.track(range(2)):
            pass
    assert torch.equal(torch.cat(values), Run([7, 8]).randn(3))
    assert seen == pytest.approx([0.0, 0.0, 0.25, 0.5, 0.5, 0.5, 0.75, 1.0, 1.0])


def test_each_inside_a_span_stays_inside_it() -> None:
    run, seen = recording([7, 8])
    with run.span(0.5, 1.0):
        for one in run.each():
            one.report(1.0)
    assert seen == pytest.approx([0.5, 0.75, 0.75, 1.0, 1.0])


def test_returning_false_cancels_at_the_next_report() -> None:
    run = Run([0], on_progress=lambda fraction: fraction < 0.5)
    steps = run.track(range(4))
    assert [next(steps), next(steps)] == [0, 1]
    with pytest.raises(Cancelled):
        next(steps)


def test_devices_by_name() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cuda", "mps", "cpu")
    with pytest.raises(BadRequest, match="not a device"):
        resolve_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest, match="sees no cuda"):
        resolve_device("cuda:0")
