"""The uses, measured on small systems that really do what they say, well or badly: the place of each is known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gen3d_core import cards, evaluation, measure, metrics, uses
from gen3d_core.__main__ import main
from gen3d_core.commands import evaluate as command
from gen3d_core.data import catalogue, pictures
from gen3d_core.data.catalogue.shape import Shape
from gen3d_core.errors import BadRequest, EmptyShape, Unsupported
from gen3d_core.representations import Voxels
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset, Batch, Stage, System
from gen3d_core.uses import Counts, Data, Score, Use, hypotheses, judging, prompts, shapes
from gen3d_core.uses import pictures as pictured

R = 32
FIRST = 1_000_000
SOURCE = "catalogue:chair,table"


@dataclass(frozen=True)
class Config:
    """Nothing to choose."""


@cache
def made(category: str, seed: int) -> Shape:
    return catalogue.make(category, seed)


@cache
def held_out(count: int) -> list[Shape]:
    """What :class:`Data` has held out, for systems that know it all."""
    return [made(category, FIRST + i) for i in range(count) for category in ("chair", "table")]


def voxels(grid: np.ndarray) -> Voxels:
    return Voxels(torch.as_tensor(np.ascontiguousarray(grid)).float())


class Toy(System):
    """Nothing in it learns."""

    Config = Config
    output = Voxels

    def __init__(self) -> None:
        super().__init__()
        self.config = Config()
        self.anchor = nn.Parameter(torch.zeros(1))

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"voxels": torch.zeros(1)}

    def stages(self) -> list[Stage]:
        return []


class Clairvoyant(Toy):
    """Completes by the held-out shape that fits what is given."""

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        given, where = partial.voxels(R), known.numpy()
        best = max(held_out(4), key=lambda shape: metrics.iou(shape.voxels(R) & where, given & where))
        return [voxels(best.voxels(R)).keep(partial, known)]


class Mirror(Toy):
    """Copies the other side."""

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        given = partial.voxels(R) & known.numpy()
        return [voxels(given | (given[::-1] & ~known.numpy()))]


class Forgetful(Toy):
    """Gives any shape, without looking at what is given; every other time nothing at all."""

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        if run.seeds[0] % 2:
            raise EmptyShape("There is nothing.", "Try another seed.")
        return [voxels(made("chair", 10 + run.seeds[0] % 7).voxels(R))]


def data(**counts: int) -> Data:
    few = {"pool": 12, "shapes": 3, "hypotheses": 2, "partials": 2, "many": 3, "pictured": 4, "prompts": 8, "drawn": 1}
    return Data(SOURCE, FIRST, Counts(**{**few, "of_class": 4, "judged": 8, **counts}))


def scores(use: Use | None) -> dict[str, Score]:
    assert use is not None
    return {score.name: score for score in use.scores}


def met(score: Score) -> bool:
    check = score.check("use")
    assert check is not None
    return check.met


# Completion


@pytest.fixture(scope="module")
def clairvoyant() -> Use:
    return uses.completion(Clairvoyant(), data(), Run([0]))


def test_who_knows_the_shape_completes_it(clairvoyant: Use) -> None:
    found = scores(clairvoyant)
    whole = found["IoU of hidden cells, all"]
    assert whole.model == 1
    assert found["IoU of hidden cells, best of 2"].model == 1
    assert found["given cells that were changed"].model == 0
    assert all(0 <= value < 0.7 for value in whole.floors.values())
    assert all(check.met for check in clairvoyant.checks())
    # The distances cannot tell it from the shape itself, and it never has two answers.
    assert found["UHD"].model == pytest.approx(found["UHD"].ceiling, rel=0.15)
    assert found["UHD"].model < found["UHD"].floors["nearest training shape"]
    assert found["TMD"].model < 0.2 * found["TMD"].ceiling
    assert found["MMD"].model < 0.3 * found["MMD"].floors["random training shapes"]


def test_a_mirror_is_as_good_as_mirroring() -> None:
    use = uses.completion(Mirror(), data(), Run([0]))
    for name, score in scores(use).items():
        if "mirrored" in score.floors:
            assert score.model == pytest.approx(score.floors["mirrored"]), name
    assert [check.met for check in use.checks()] == [False]


def test_who_forgets_is_found_out_and_nothing_counts_as_nothing() -> None:
    use = uses.completion(Forgetful(), data(), Run([0]))
    found = scores(use)
    assert found["given cells that were changed"].model > 0.01
    # One of the two hypotheses of each shape is empty.
    best, average = found["IoU of hidden cells, best of 2"].model, found["IoU of hidden cells, all"].model
    assert average == pytest.approx(best / 2)
    assert "nan" not in json.dumps(use.values(), allow_nan=False)


def test_the_ways_hide_what_they_say() -> None:
    chair = made("chair", FIRST)
    shares = {way: hypotheses._cut(chair, way).known.mean() for way in hypotheses.WAYS[:3]}
    assert shares == {"bottom half given": 0.5, "octant given": 0.125, "top half given": 0.5}
    bottom = hypotheses._cut(chair, "bottom half given").known
    assert bottom[:, :, 0].all()
    assert not bottom[:, :, -1].any()


def test_a_view_gives_the_front_and_hides_the_rest() -> None:
    chair = made("chair", FIRST)
    part = hypotheses._cut(chair, "depth view given")
    truth, given = chair.voxels(R), part.given.voxels(R)
    assert 0.2 < part.known.mean() < 0.98
    # What is said to be empty is empty but for what a cell's middle decides, and much of the chair is hidden.
    assert (truth & part.known & ~given).sum() < 0.1 * truth.sum()
    assert (truth & ~part.known).sum() > 0.15 * truth.sum()
    use = uses.completion(Clairvoyant(), data(shapes=4), Run([0]))
    assert scores(use)["IoU of hidden cells, depth view given"].model > 0.9


def test_the_nearest_training_shape_is_the_one_that_fits_what_is_known() -> None:
    own = data()
    for index in (0, 5):
        target = own.pool[index].voxels(R)
        known = np.zeros_like(target)
        known[:, :, :16] = True
        assert (own.nearest(target & known, known) == target).all()


def test_distances_of_points() -> None:
    line = np.stack([np.linspace(0, 1, 11), np.zeros(11), np.zeros(11)], axis=1).astype(np.float32)
    assert hypotheses.uhd(line, line[:6]) == pytest.approx(0.5)
    assert hypotheses.uhd(line[:6], line) == 0
    clouds = [np.array([[x, 0, 0]], np.float32) for x in (0.0, 1.0, 3.0)]
    # Chamfer distances 2, 18 and 8; each pair counts for both of its clouds, over the two others.
    assert hypotheses._tmd(clouds) == pytest.approx(2 * (2 + 18 + 8) / 2)
    assert hypotheses._tmd(clouds[:1]) == 0


# Pictures


class Seer(Toy):
    """Recognises the held-out shape by its picture."""

    def image_size(self) -> int:
        return 32

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        own = [pictures.of_asset(a, 5, 32, pictured.UNSEEN + i) for i, a in enumerate(held_out(2))]
        errors = [np.abs(one[: len(images)] - images.numpy()).sum() for one in own]
        return [voxels(held_out(2)[int(np.argmin(errors))].voxels(R))]


class Blind(Seer):
    """Always the same lump."""

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        return [voxels(np.indices((R,) * 3).sum(0) < 20)]


@pytest.mark.slow
def test_who_sees_beats_memory_and_who_does_not_does_not() -> None:
    seen = uses.images(Seer(), data(), Run([0]))
    blind = uses.images(Blind(), data(), Run([0]))
    assert [score.model for score in seen.scores] == [1.0] * 4
    assert all(check.met for check in seen.checks())
    assert len(seen.checks()) == len(pictured.VIEWS)
    assert not any(check.met for check in blind.checks())
    assert len({score.model for score in blind.scores}) == 1
    # The references do not depend on the model.
    assert [score.floors for score in seen.scores] == [score.floors for score in blind.scores]


def test_retrieval_finds_a_shape_by_its_own_picture() -> None:
    own = [pictures.of_asset(made("chair", i), 3, 32, i) for i in range(4)]
    memory = pictured._Memory(own)
    for i, shown in enumerate(own):
        assert memory.nearest(shown[1:], "colour") == i
        assert memory.nearest(shown[1:2], "outline") == i


# Text


class Reader(Toy):
    """Knows for which held-out shape each text was written."""

    def from_text(self, text: str, run: Run) -> list[Voxels]:
        for i, shape in enumerate(held_out(4)):
            if text in (prompts.sentence(shape).text, prompts.phrase(shape, i).text):
                return [voxels(shape.voxels(R))]
        raise AssertionError(text)


class Deaf(Toy):
    """Good shapes, but of anything."""

    def from_text(self, text: str, run: Run) -> list[Voxels]:
        return [voxels(held_out(4)[(7 * run.seeds[0] // 1000 + 3) % 8].voxels(R))]


def test_who_reads_reaches_the_ceiling_and_who_does_not_stays_at_the_floor() -> None:
    name = "asked attributes that are there"
    read = scores(uses.text(Reader(), data(), Run([0])))[name]
    deaf = scores(uses.text(Deaf(), data(), Run([0])))[name]
    assert read.ceiling == deaf.ceiling
    assert read.model == pytest.approx(read.ceiling, abs=0.05)
    assert read.model > 0.9
    assert deaf.model < 0.8
    assert read.model > read.floors["other texts' shapes"] + 0.15


def test_texts_ask_for_what_the_shape_has() -> None:
    for i, shape in enumerate(held_out(4)):
        for prompt in (prompts.sentence(shape), prompts.phrase(shape, i)):
            own = measure.stated(shape.attributes())
            assert prompt.asked.items() <= own.items()
            assert prompt.asked["category"] == shape.category
            words = prompt.text.replace(",", "").split()
            if prompt.asked.get("legs"):
                assert {4: "four", 6: "six", 8: "eight"}[int(prompt.asked["legs"])] in words
            if prompt.asked.get("size"):
                assert prompt.asked["size"] in words
            if prompt.asked.get("arms") == "yes":
                assert "armrests" in words
    assert len({prompts.phrase(shape, 0).text for shape in held_out(4)}) > 3


def test_phrases_are_of_the_catalogues_vocabulary() -> None:
    from gen3d_core.data.catalogue.words import VOCABULARY

    for i, shape in enumerate(held_out(4)):
        assert set(prompts.phrase(shape, i).text.split()) <= VOCABULARY


def test_data_without_words_is_left_out(tmp_path: Path) -> None:
    rows = np.stack([np.packbits(made("chair", i).voxels(16)) for i in range(4)])
    np.savez(tmp_path / "few.npz", chairs=rows)
    own = Data(f"{tmp_path / 'few.npz'}:chairs", 2, Counts(pool=2, prompts=2))
    assert uses.text(Reader(), own, Run([0])) is None
    assert uses.outliers(Odd(), own, Run([0])) is None
    assert len(own.unseen(5)) == 2


# Classes, refinement, outliers


class Labelled(Toy):
    """Draws unseen shapes of the class, and tells classes."""

    swap = False

    def class_names(self) -> list[str]:
        return ["chair", "table"]

    def from_class(self, name: str, run: Run) -> list[Voxels]:
        other = {"chair": "table", "table": "chair"}
        return [voxels(made(other[name] if self.swap else name, 500 + run.seeds[0]).voxels(R))]

    def classify(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.tensor([[float(a.category == n) for n in self.class_names()] for a in assets])


class Swapped(Labelled):
    """Mistakes one for the other."""

    swap = True

    def classify(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return 1 - super().classify(assets, run)


@pytest.mark.slow
def test_classes_are_told_by_an_independent_judge() -> None:
    own = data(pool=60, judged=30, of_class=6)
    for system, low, high in ((Labelled(), 0.8, 1.0), (Swapped(), 0.0, 0.2)):
        drawn = scores(uses.classes(system, own, Run([0])))["shapes of the class asked for"]
        assert low <= drawn.model <= high
        assert drawn.ceiling > 0.85
        told = scores(uses.classify(system, own, Run([0])))["right class"]
        assert told.model == (low > 0.5)
    assert uses.classes(Labelled(), Data("catalogue:chair", FIRST, own.counts), Run([0])) is None


def test_the_judge_is_a_ridge_regression() -> None:
    """Its weights, computed once more in the space of the features."""
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(30, 5)), ["a" if i % 3 else "b" for i in range(30)]
    judge = judging.Judge.of(x, labels)
    y = np.array([1.0 if label == "a" else -1.0 for label in labels])
    centred = x - x.mean(0)
    weights = np.linalg.solve(centred.T @ centred + judging.RIDGE * np.eye(5), centred.T @ (y - y.mean()))
    assert judge.weights[:, 0] == pytest.approx(weights)


class Doubling(Toy):
    """Copies cells, or knows."""

    def refine(self, assets: Sequence[Asset], run: Run) -> list[Voxels]:
        return [voxels(a.voxels(16).repeat(2, 0).repeat(2, 1).repeat(2, 2)) for a in assets]


class Sharp(Toy):
    """Knows the fine shape of the coarse one."""

    def refine(self, assets: Sequence[Asset], run: Run) -> list[Voxels]:
        def fine(coarse: np.ndarray) -> np.ndarray:
            return next(s.voxels(R) for s in held_out(4) if (shapes.shares(s.voxels(R)) == coarse).all())

        return [voxels(fine(shapes.shares(a.voxels(R)))) for a in assets]


def test_refinement_is_held_against_copying() -> None:
    copied, sharp = (scores(uses.refine(s, data(), Run([0])))["IoU"] for s in (Doubling(), Sharp()))
    assert copied.model == pytest.approx(copied.floors["copied"])
    assert copied.floors["copied"] < copied.floors["trilinear, as full"] < 1
    assert sharp.model == 1
    assert copied.floors == sharp.floors
    assert not met(copied)
    assert met(sharp)


def test_a_coarse_shape_keeps_how_full_its_blocks_are_and_nothing_else() -> None:
    chair = made("chair", FIRST).voxels(R)
    coarse = shapes.Coarse.of(chair)
    assert (shapes.shares(coarse.voxels(R)) == shapes.shares(chair)).all()
    assert (coarse.voxels(R) != chair).any()
    assert (coarse.voxels(16) == (shapes.shares(chair) >= 0.5)).all()
    swapped = chair.reshape(16, 2, 16, 2, 16, 2)[:, ::-1].reshape((R,) * 3)
    assert (shapes.Coarse.of(swapped).voxels(R) == coarse.voxels(R)).all()


class Guesser(Toy):
    """Completes as the text says, or by anything without one."""

    def complete_guided(
        self, partial: Asset, known: Tensor, text: str, images: Tensor | None, run: Run
    ) -> list[Voxels]:
        whole = partial if text else made("chair", 3)
        return [voxels(whole.voxels(R)).keep(partial, known)]


def test_a_text_beside_a_part_must_help() -> None:
    told, overlap = uses.guided(Guesser(), data(), Run([0])).scores
    assert told.model == told.ceiling > told.floors["without the text"]
    assert overlap.model == 1 > overlap.floors["without the text"]
    assert met(told)


class Trained(Toy):
    """Its features are the categories, if it is told to be trained."""

    def __init__(self, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Trained:
        return cls()

    def features(self, assets: Sequence[Asset], run: Run) -> Tensor:
        number = [catalogue.CATEGORIES.index(a.category) * self.trained + run.seeds[0] % 7 / 100 for a in assets]
        return torch.stack([(torch.arange(9) - n).abs().clamp(max=1) for n in number])


@pytest.mark.slow
def test_features_are_held_against_those_of_no_training_and_against_cells() -> None:
    (trained,), (not_trained,) = (uses.labels(Trained(t), data(judged=18), Run([0])).scores for t in (True, False))
    assert trained.model > 0.95
    assert met(trained)
    assert trained.floors == not_trained.floors
    assert trained.floors["untrained model"] == not_trained.model < 0.3
    assert 0.3 < trained.floors["cells"] < 1
    assert not met(not_trained)


class Odd(Toy):
    """Finds everything odd that is not furniture."""

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.tensor([0.0 if a.category in ("chair", "table") else 1.0 for a in assets])


class Even(Toy):
    """Finds everything the same."""

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        return torch.zeros(len(assets))


def test_outliers_are_of_other_categories() -> None:
    odd, even = (uses.outliers(s, data(), Run([0])) for s in (Odd(), Even()))
    assert scores(odd)["AUROC"].model == 1
    assert scores(even)["AUROC"].model == 0.5
    assert [check.met for check in (*odd.checks(), *even.checks())] == [True, False]


def test_samples_are_looked_at_as_cells() -> None:
    good = [made("chair", 700 + i).voxels(R) for i in range(6)] + [made("table", 700 + i).voxels(R) for i in range(6)]
    fine = scores(shapes_of(good))
    assert fine["occupancy, deviation from the data"].model < 0.6
    assert fine["cells in the largest part"].model > 0.9
    one = [np.zeros((R,) * 3, dtype=bool) for _ in good]
    for i, grid in enumerate(one):
        grid[i : i + 2, 0:2, 0:2] = True
        grid[20:22, 20:22, 20:22] = True
    bad = scores(shapes_of(one))
    assert bad["cells in the largest part"].model == 0.5
    assert bad["occupancy, deviation from the data"].model > 0.8
    assert bad["1-NNA of 1 - IoU"].model > 0.9


def shapes_of(grids: list[np.ndarray]) -> Use:
    return shapes.samples(grids, data())


def test_set_distances_are_one_less_the_iou() -> None:
    random = np.random.default_rng(0)
    grids = [random.random((4, 4, 4)) < 0.4 for _ in range(3)] + [np.zeros((4, 4, 4), bool)]
    expected = [[1 - metrics.iou(a, b) for b in grids] for a in grids]
    assert shapes.distances(grids, grids) == pytest.approx(np.array(expected), abs=1e-6)


# The report


def test_gates_are_met_only_beyond_the_best_of_the_trivial_ways() -> None:
    both = {"a": 0.2, "b": 0.4}
    assert met(Score("x", 0.41, both, beats=True))
    assert not met(Score("x", 0.40, both, beats=True))
    assert not met(Score("x", 0.5, both, limit=0.8, beats=True))
    assert met(Score("x", 0.1, both, lower=True, beats=True))
    assert not met(Score("x", 0.3, both, lower=True, beats=True))
    assert Score("x", 0.1).check("u") is None


def test_tables_and_values_say_the_same(clairvoyant: Use) -> None:
    table, values = uses.tables([clairvoyant]), clairvoyant.values()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    rows = [line for line in table.splitlines() if line.startswith("| completion |")]
    assert len(rows) == len(values["scores"]) == len(clairvoyant.scores)
    for row, (name, value) in zip(rows, values["scores"].items(), strict=True):
        assert name in row
        score = next(score for score in clairvoyant.scores if score.name == name)
        assert f"| {score.text(value['model'])} |" in row
    assert "| met |" in table
    blocks = [block.splitlines() for block in table.split("\n\n")[1:]]
    assert all(len({line.count("|") for line in lines}) == 1 for lines in blocks)


def test_what_is_measured_is_what_the_model_can_do() -> None:
    assert uses.chosen("all", Clairvoyant()) == ["completion"]
    assert uses.chosen("none", Clairvoyant()) == []
    assert uses.chosen("classes,classify", Labelled()) == ["classes", "classify"]
    with pytest.raises(BadRequest, match="no use 'flying'"):
        uses.chosen("flying", Clairvoyant())
    with pytest.raises(BadRequest, match="has no images"):
        uses.chosen("completion,images", Clairvoyant())


def test_what_was_not_learnt_is_left_out() -> None:
    class Unlettered(Odd):
        def from_text(self, text: str, run: Run) -> list[Voxels]:
            raise Unsupported("This model has not learnt from texts.", "Use another.")

    found = uses.measure_uses(Unlettered(), ["text", "outliers"], data(), Run([0]))
    assert [use.name for use in found] == ["outliers"]


@pytest.mark.slow
def test_the_command_writes_tables_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "furniture-vae"
    shutil.copytree(cards.BUNDLED / "furniture-vae", folder)
    config = json.loads((folder / cards.CONFIG).read_text())
    (folder / cards.CONFIG).write_text(json.dumps({**config, "metrics": {"scores": {"kept": 1}}}))
    monkeypatch.setattr(uses, "FEW", Counts(pool=6, shapes=2, hypotheses=1, partials=1, many=2, judged=4))
    few = ["--few", "--count", "3", "--points", "64", "--resolution", "16", "--device", "cpu", "--threads", "1"]
    assert main(["evaluate", str(folder), "--write", "--json", *few]) == 0
    said = json.loads(capsys.readouterr().out)
    card = cards.read(folder)
    assert card.metrics["scores"] == {"kept": 1}
    measured = card.metrics["evaluation"]
    assert measured["source"] == "catalogue:chair,table"
    assert (
        measured["command"]
        == "gen3d evaluate furniture-vae --data catalogue:chair,table --few --count 3 --points 64 --resolution 16"
    )
    assert list(measured["uses"]) == list(said["uses"]) == ["samples", "completion", "outliers"]
    whole = said["uses"]["completion"]["scores"]["IoU of hidden cells, all"]["model"]
    assert measured["uses"]["completion"]["scores"]["IoU of hidden cells, all"]["model"] == pytest.approx(
        whole, rel=1e-5
    )
    text = (folder / cards.README).read_text()
    assert "| 1-NNA |" in text
    assert "IoU of hidden cells, all ↑ |" in text
    assert f"| {whole:.3f} |" in text
    assert not list(folder.glob("*.part"))
    assert card.values() == {**config, "metrics": dict(card.metrics)}


def test_a_model_is_held_against_what_its_card_names() -> None:
    card = cards.read(cards.BUNDLED / "furniture-vae")
    assert command.source_of(card) == "catalogue:chair,table"
    assert command.source_of(replace(card, data="3000 shapes of catalogue:chair.")) == "catalogue:chair"
    assert command.source_of(replace(card, data="12 of the maker's own files")) == "catalogue:chair"


@pytest.mark.slow
def test_progress_rises_and_it_can_be_stopped() -> None:
    fractions: list[float] = []

    def note(fraction: float) -> bool:
        fractions.append(fraction)
        return True

    own = data(shapes=2, many=2)
    first = uses.measure_uses(Clairvoyant(), ["completion"], own, Run([0], on_progress=note))
    assert np.diff(fractions).min() > -1e-9
    assert fractions[-1] > 0.9
    again = uses.measure_uses(Clairvoyant(), ["completion"], own, Run([5]))
    assert [use.values() for use in first] == [use.values() for use in again]
    for system, name in ((Clairvoyant(), "completion"), (Seer(), "images"), (Reader(), "text"), (Odd(), "outliers")):
        with pytest.raises(Cancelled):
            uses.measure_uses(system, [name], data(), Run([0], on_progress=lambda f: f < 0.3))


def test_cells_of_any_representation() -> None:
    chair = made("chair", FIRST)
    assert (evaluation.occupancy(voxels(chair.voxels(R))) == chair.voxels(R)).all()
    from gen3d_core.representations import Field, MeshOptions

    field = Field(lambda p: torch.as_tensor(chair.sdf(p.numpy())))
    assert (evaluation.occupancy(field) == chair.voxels(R)).all()
    assert metrics.iou(evaluation.occupancy(field.to_mesh(MeshOptions(96))), chair.voxels(R)) > 0.85
