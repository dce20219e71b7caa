"""The evaluation, on small systems whose scores are known beforehand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gen3d_core import metrics
from gen3d_core.data import catalogue
from gen3d_core.errors import BadRequest, Unsupported
from gen3d_core.evaluation import WEAK, Gates, Report, evaluate
from gen3d_core.representations import Field, MeshOptions
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset, Batch, Stage, System
from gen3d_core.systems.voxels.vae import VoxelVAE

SMALL = {"count": 10, "points": 160, "seeds": (0, 1), "mesh_options": MeshOptions(24), "workers": 1}
ONCE = {**SMALL, "seeds": (0,)}


@dataclass(frozen=True)
class Config:
    """Which of its shapes have no surface: every ``gap``-th; 0 is none."""

    gap: int = 0


class Sampler(System):
    """Something that samples fields; nothing in it learns."""

    Config = Config
    output = Field

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.anchor = nn.Parameter(torch.zeros(1))

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"radius": torch.zeros(1)}

    def stages(self) -> list[Stage]:
        return []

    def sample(self, run: Run) -> list[Field]:
        return [
            Field(lambda p: torch.ones(len(p))) if self.config.gap and seed % self.config.gap == 0 else self.field(seed)
            for seed in run.seeds
        ]

    def field(self, seed: int) -> Field:
        raise NotImplementedError


class Spheres(Sampler):
    """Spheres of random size."""

    def field(self, seed: int) -> Field:
        radius = 0.1 + 0.3 * torch.rand(1, generator=torch.Generator().manual_seed(seed))
        return Field(lambda p: p.norm(dim=1) - radius)


class Chairs(Sampler):
    """As good as a system can be: unseen shapes of the catalogue. It knows what it is shown."""

    def field(self, seed: int) -> Field:
        shape = catalogue.make("chair", 5_000_000 + seed)
        return Field(lambda p: torch.as_tensor(shape.sdf(p.numpy())))


class Reciter(Chairs):
    """Recites the held-out shapes themselves."""

    def field(self, seed: int) -> Field:
        shape = catalogue.make("chair", 1_000_000 + seed % 10)
        return Field(lambda p: torch.as_tensor(shape.sdf(p.numpy())))


class Rescaler(Spheres):
    """Encodes a shape as its height, and decodes it as a ball of that height."""

    def prior(self, run: Run) -> Tensor:
        return 0.1 + 0.3 * run.rand(1)

    def decode(self, z: Tensor, run: Run) -> list[Field]:
        return [Field(lambda p, r=r: p.norm(dim=1) - r) for r in z[:, 0]]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return a + (b - a) * t

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.tensor([[float(np.ptp(asset.surface(500)[0][:, 2])) / 2] for asset in assets])


@pytest.fixture(scope="module")
def spheres() -> Report:
    return evaluate(Spheres(Config()), "catalogue:chair", run=Run([0]), name="spheres", **SMALL)


@pytest.fixture(scope="module")
def chairs() -> Report:
    return evaluate(Chairs(Config()), "catalogue:chair", run=Run([0]), name="chairs", **SMALL)


def mean(report: Report, score: str) -> float:
    return float(np.mean([getattr(one, score) for one in report.model_scores]))


def test_spheres_are_no_chairs(spheres: Report) -> None:
    assert mean(spheres, "one_nna") > 0.9
    assert mean(spheres, "coverage") < 0.5
    assert not spheres.met
    assert {check.name: check.met for check in spheres.checks()}["1-NNA"] is False


@pytest.mark.slow
def test_chairs_are_chairs_and_meet_the_gates(chairs: Report) -> None:
    assert mean(chairs, "one_nna") < 0.85
    assert chairs.met
    floor = float(np.mean([one.mmd for one in chairs.floor]))
    assert mean(chairs, "mmd") == pytest.approx(floor, rel=0.35)


def test_the_model_stands_between_floor_and_ceiling(spheres: Report, chairs: Report) -> None:
    for report in (spheres, chairs):
        floor, ceiling = (float(np.mean([one.mmd for one in scores])) for scores in (report.floor, report.ceiling))
        assert floor < ceiling / 2
        assert all(one.one_nna > 0.9 for one in report.ceiling)
    assert mean(chairs, "mmd") < mean(spheres, "mmd")
    # Floor and ceiling do not depend on the model.
    assert spheres.floor == chairs.floor
    assert spheres.ceiling == chairs.ceiling
    assert len(spheres.floor) == len(spheres.ceiling) == len(spheres.model_scores) == 2


def test_who_recites_the_test_set_is_found_out() -> None:
    report = evaluate(Reciter(Config()), "catalogue:chair", run=Run([0]), **ONCE)
    assert mean(report, "coverage") > 0.9
    assert mean(report, "one_nna") < 0.2


def test_scores_are_those_of_the_metrics(chairs: Report) -> None:
    """The first repetition, computed once more from the sets themselves."""
    reference = [catalogue.make("chair", 1_000_000 + i).surface(160, 0)[0] for i in range(10)]
    system = Chairs(Config())
    samples = []
    for seed in range(10):
        mesh = system.field(seed).to_mesh(MeshOptions(24))
        samples.append(mesh.sample(160, np.random.Generator(np.random.PCG64(seed))))
    assert chairs.model_scores[0] == metrics.compare(samples, reference, chairs.scale)


def test_the_scale_is_that_of_training_shapes(chairs: Report) -> None:
    training = [catalogue.make("chair", i).surface(160, 0)[0] for i in range(20)]
    assert chairs.scale.std == pytest.approx(float(np.concatenate(training).std()), rel=0.1)


def test_the_same_evaluation_gives_the_same_report(spheres: Report) -> None:
    again = evaluate(Spheres(Config()), "catalogue:chair", run=Run([7]), name="spheres", **SMALL)
    assert again.values() == spheres.values()


def test_meshes_are_measured(spheres: Report) -> None:
    sound = spheres.soundness()
    assert (sound.closed, sound.one_piece, sound.components, sound.degenerate_faces) == (1, 1, 1, 0)
    assert len(spheres.meshes) == 20
    assert spheres.empty == 0


def test_shapes_without_a_surface_are_counted_and_cost(spheres: Report) -> None:
    report = evaluate(Spheres(Config(gap=3)), "catalogue:chair", run=Run([0]), name="spheres", **SMALL)
    assert report.empty == 7
    assert len(report.meshes) == 13
    assert "| without a surface | 7 of 20 |" in report.table()
    assert report.values()["meshes"]["empty"] == 7
    assert mean(report, "mmd") >= mean(spheres, "mmd")


def test_a_model_without_any_surface_is_reported_all_the_same() -> None:
    report = evaluate(Spheres(Config(gap=1)), "catalogue:chair", run=Run([0]), **ONCE)
    assert report.empty == 10
    assert not report.met
    assert mean(report, "one_nna") == 1
    assert report.soundness().closed == 0
    assert "nan" not in json.dumps(report.values(), allow_nan=False) + report.table()


@pytest.mark.slow
def test_reconstruction_is_measured_where_there_is_an_encoder(spheres: Report) -> None:
    report = evaluate(Rescaler(Config()), "catalogue:chair", run=Run([0]), **ONCE)
    assert len(report.ious) == 10
    shape = catalogue.make("chair", 1_000_000)
    radius = np.ptp(shape.surface(500)[0][:, 2]) / 2
    axis = (np.arange(32) + 0.5) / 32 - 0.5
    ball = sum(x**2 for x in np.meshgrid(axis, axis, axis, indexing="ij")) < radius**2
    assert report.ious[0] == pytest.approx(metrics.iou(shape.voxels(32), ball), abs=0.02)
    assert "reconstruction IoU" in report.table()
    assert spheres.ious == []
    assert "reconstruction" not in spheres.table()
    assert spheres.values()["reconstruction_iou"] is None


def test_table_and_values_say_the_same(spheres: Report) -> None:
    table, values = spheres.table(), spheres.values()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    mmd = values["scores"]["model"]["mmd"]
    row = next(line for line in table.splitlines() if line.startswith("| **spheres** |"))
    assert f"{1000 * mmd['mean']:.2f} ± {1000 * mmd['sd']:.2f}" in row
    assert "| floor: training shapes |" in table
    assert "| ceiling: Gaussian blobs |" in table
    assert "10 held-out shapes of `catalogue:chair`, 160 points" in table
    assert "meshes at 24³" in table
    assert "**not met**" in table
    blocks = [block.splitlines() for block in table.split("\n\n")[1:]]
    assert len(blocks) == 3
    for lines in blocks:
        assert len({line.count("|") for line in lines}) == 1


def test_the_spread_is_that_of_the_seeds(spheres: Report) -> None:
    values = spheres.values()["scores"]["model"]["jsd"]
    jsds = [one.jsd for one in spheres.model_scores]
    assert values["mean"] == pytest.approx(sum(jsds) / 2)
    assert values["sd"] == pytest.approx(abs(jsds[0] - jsds[1]) / 2**0.5)


def test_gates_are_those_asked_for(spheres: Report, chairs: Report) -> None:
    generous = Gates(one_nna=1.01, mmd=2.0, coverage=-1.0)
    assert Report(**{**vars(spheres), "gates": generous}).met
    assert not Report(**{**vars(chairs), "gates": Gates(one_nna=0.01)}).met
    assert Gates(one_nna=0.97) == WEAK
    limits = {check.name: check.limit for check in Report(**{**vars(spheres), "gates": WEAK}).checks()}
    assert limits == {"1-NNA": "< 97%", "MMD": "< 0.5 of the ceiling", "COV": "> 30%"}


def test_debris_is_removed_when_asked_for_and_said() -> None:
    class Dusty(Spheres):
        def field(self, seed: int) -> Field:
            speck = torch.tensor([0.4, 0.4, 0.4])
            return Field(lambda p: torch.minimum(p.norm(dim=1) - 0.3, (p - speck).norm(dim=1) - 0.06))

    options = {**ONCE, "count": 3}
    dusty = evaluate(Dusty(Config()), "catalogue:chair", run=Run([0]), **options)
    clean = evaluate(
        Dusty(Config()), "catalogue:chair", run=Run([0]), **{**options, "mesh_options": MeshOptions(24, debris=0.1)}
    )
    assert dusty.soundness().components == 2
    assert clean.soundness().components == 1
    assert "without parts below 10.0% of the area" in clean.table()


@pytest.mark.slow
def test_progress_rises_to_the_end_and_can_be_stopped() -> None:
    fractions: list[float] = []

    def note(fraction: float) -> bool:
        fractions.append(fraction)
        return True

    options = {**SMALL, "count": 3}
    evaluate(Rescaler(Config()), "catalogue:chair", run=Run([0], on_progress=note), **options)
    steps = np.diff(fractions)
    assert steps.min() > -1e-9
    assert steps.max() < 0.1
    assert fractions[0] == 0
    assert fractions[-1] > 0.9
    for stop in (0.2, 0.4, 0.7, 0.95):
        with pytest.raises(Cancelled):
            evaluate(
                Rescaler(Config()), "catalogue:chair", run=Run([0], on_progress=lambda f, s=stop: f < s), **options
            )


def test_a_system_that_cannot_sample_is_told_at_once() -> None:
    class Mute(Sampler):
        sample = None  # type: ignore[assignment]

    with pytest.raises(Unsupported):
        evaluate(Mute(Config()), "catalogue:chair", run=Run([0]), **SMALL)


@pytest.mark.parametrize("change", [{"seeds": ()}, {"count": 1}, {"points": 0}])
def test_an_impossible_evaluation_is_refused(change: dict) -> None:
    with pytest.raises(BadRequest):
        evaluate(Spheres(Config()), "catalogue:chair", run=Run([0]), **{**SMALL, **change})


def test_a_small_folder_of_meshes_serves_too(tmp_path: Path) -> None:
    """Fewer files than asked for: the sets shrink together."""
    from gen3d_core.data.files import write_mesh

    for i in range(5):
        write_mesh(tmp_path / f"{i}.obj", Spheres(Config()).field(i).to_mesh(MeshOptions(16)), str(i))
    report = evaluate(Spheres(Config()), str(tmp_path), run=Run([0]), held_out=2, **SMALL)
    assert report.count == 3
    assert len(report.meshes) == 6
    with pytest.raises(BadRequest, match="only one"):
        evaluate(Spheres(Config()), str(tmp_path), run=Run([0]), held_out=4, **SMALL)


def test_a_system_of_the_house_is_evaluated_also_untrained() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = VoxelVAE.from_config({"channels": [2, 2, 4, 4], "hidden": 8, "latent": 4})
    report = evaluate(system.eval(), "catalogue:chair", run=Run([0]), **{**ONCE, "count": 3})
    assert report.system == "voxels.vae"
    assert len(report.ious) == 3
    assert report.empty + len(report.meshes) == 3
    assert not report.met
