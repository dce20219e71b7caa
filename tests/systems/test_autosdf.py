"""AutoSDF: cubes by themselves, codes that stay, experts, and a training that learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gen3d_core import training
from gen3d_core.data import catalogue
from gen3d_core.data.grids import Grid
from gen3d_core.errors import BadRequest, Unsupported
from gen3d_core.families import autoregressive
from gen3d_core.nn import patchwise
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels import autosdf
from gen3d_core.systems.voxels.autosdf import TRIES, AutoSDF
from tests.systems import building

TINY: dict[str, Any] = {
    "side": 4,
    "cube": 6,
    "codes": 24,
    "size": 8,
    "encoder": (32,),
    "decoder": (16, 8),
    "warm": 20,
    "layers": 2,
    "width": 32,
    "heads": 2,
    "hidden": 48,
    "frequencies": 8,
    "views": 0,
}
SHAPES = [catalogue.make(category, seed) for seed in range(6) for category in ("chair", "table")]


def build(**changes: Any) -> AutoSDF:
    return building.asleep(AutoSDF, {**TINY, **changes}, seed=3)


def play(system: AutoSDF, name: str, data: dict[str, torch.Tensor], steps: int) -> list[float]:
    """The losses of a stage's steps."""
    stage = next(stage for stage in system.stages() if stage.name == name)
    with torch.no_grad():
        examples = stage.dataset(data, Run([0]))
    (network,) = stage.trains
    network.train().requires_grad_(True)
    optimizer = stage.optimizer(network, network.parameters())
    losses = []
    for step in range(steps):
        for _, loss in stage.losses(examples, Noise(step, torch.device("cpu"))):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    stage.finish(data, Run([0]))
    system.eval().requires_grad_(False)
    return losses


def fit(**steps: int) -> AutoSDF:
    system = build()
    data = training.prepare(system, SHAPES, Run([0]))
    for name, count in steps.items():
        play(system, name, data, count)
    return system


@pytest.fixture(scope="module")
def begun() -> AutoSDF:
    """A tiny one that has seen a few shapes: enough for codes that differ; no test changes it."""
    return fit(vq=5, transformer=3, text=3)


@pytest.fixture(scope="module")
def fitted() -> AutoSDF:
    """A tiny one that has learnt a few shapes; no test changes it."""
    return fit(vq=220, transformer=100, text=60)


def test_cutting_into_cubes_and_joining_gives_the_grid_back() -> None:
    grid = torch.rand(2, 12, 12, 12)
    cubes = patchwise.cut(grid, 4)
    assert torch.equal(cubes[1, 0, 2, 1], grid[1, :4, 8:, 4:8])
    assert torch.equal(patchwise.joined(cubes), grid)


def test_doubling_makes_the_eight_cells_of_each_cell_in_their_places() -> None:
    layer = patchwise.Doubling(2, 3).requires_grad_(False)
    x = torch.randn(1, 2, 3, 3, 3)
    changed = x.clone()
    changed[0, :, 1, 0, 2] += 1
    moved = (layer(changed) != layer(x)).any(1)[0].nonzero()
    assert layer(x).shape == (1, 3, 6, 6, 6)
    assert {tuple(cell) for cell in moved.tolist()} == {(i, j, k) for i in (2, 3) for j in (0, 1) for k in (4, 5)}


@pytest.mark.parametrize("encoder", [(32,), (8, 16)])
def test_a_cubes_vector_depends_on_that_cube_alone_and_the_decoder_joins_them(encoder: tuple[int, ...]) -> None:
    system = build(encoder=encoder, attention=True)
    grid = torch.rand(1, 24, 24, 24) * 2 - 1
    changed = grid.clone()
    changed[0, 6:12, 12:18, 0:6] *= -1
    before, after = (system.autoencoder.encoder(g)[0] for g in (grid, changed))
    moved = (before - after).abs().amax(-1) > 1e-5
    assert moved.nonzero().tolist() == [[1, 2, 0]]
    decoded = system.autoencoder.decoder(torch.stack([before, after]))
    moved = patchwise.cut((decoded[0] - decoded[1]).abs()[None], 6)[0].flatten(3).amax(3) > 1e-6
    assert int(moved.sum()) > 1


def test_cubes_are_observed_where_all_their_cells_are_known() -> None:
    system = build()
    known = torch.rand(24, 24, 24, generator=torch.Generator().manual_seed(0)) < 0.999
    observed = system.observed(known).reshape(4, 4, 4)
    assert 0 < int(observed.sum()) < 64
    for x, y, z in np.ndindex(4, 4, 4):
        cube = known[6 * x : 6 * x + 6, 6 * y : 6 * y + 6, 6 * z : 6 * z + 6]
        assert bool(observed[x, y, z]) == bool(cube.all())


@pytest.mark.slow
def test_codes_that_are_given_stay_to_the_bit_and_the_others_are_drawn(begun: AutoSDF) -> None:
    chair = catalogue.make("chair", 3)
    known = torch.zeros(32, 32, 32, dtype=torch.bool)
    known[:, :, :16] = True
    codes, observed = begun.encode_codes(chair), begun.observed(known)
    assert int(observed.sum()) == 32
    drawn = begun.draw(Run(list(range(6))), codes, observed)
    assert torch.equal(drawn[:, observed], codes[observed].expand(6, -1))
    assert len({tuple(row) for row in drawn[:, ~observed].tolist()}) > 1


def test_a_seed_draws_the_same_codes_beside_others(begun: AutoSDF) -> None:
    alone, beside = begun.draw(Run([7]))[0], begun.draw(Run([1, 7, 2]))[1]
    assert torch.equal(alone, beside)


def test_codes_are_drawn_as_the_networks_whole_passes_would(begun: AutoSDF) -> None:
    """Without any memory of keys and values, one whole pass a code."""
    run = Run([11])
    numbers = Run([11]).rand(2, 64)
    order = numbers[:, 0].argsort(1)
    codes = torch.zeros(1, 0, dtype=torch.int64)
    vectors = begun.autoencoder.codebook.vectors
    for i in range(64):
        before = torch.cat([torch.full((1, 1), begun.config.codes), codes], dim=1)
        logits = begun.prior(vectors, before, order)[:, -1]
        drawn = autoregressive.draw(autoregressive.top_k(logits, begun.config.top), numbers[:, 1, i])
        codes = torch.cat([codes, drawn[:, None]], dim=1)
    assert torch.equal(begun.draw(run)[0, order[0]], codes[0])


@pytest.mark.slow
def test_training_learns_grids_and_codes(fitted: AutoSDF) -> None:
    overlaps = []
    for shape in SHAPES:
        found = fitted._shapes(fitted.encode_codes(shape)[None])[0].occupied
        given = torch.as_tensor(shape.voxels(24))
        overlaps.append(float((found & given).sum() / (found | given).sum()))
    assert np.mean(overlaps) > 0.4
    assert len(torch.cat([fitted.encode_codes(shape) for shape in SHAPES]).unique()) > 8
    # Far below drawing codes at random, which is log K.
    assert float(fitted.score(SHAPES[:4], Run([0])).mean()) < 0.7 * np.log(fitted.config.codes)


def test_the_codes_learn_in_half_precision_too() -> None:
    system = build(warm=1)
    data = training.prepare(system, SHAPES[:4], Run([0]))
    with torch.autocast("cpu", torch.bfloat16):
        losses = play(system, "vq", data, 8)
    assert losses[-1] < losses[0]
    assert system.autoencoder.codebook.vectors.dtype == torch.float32


def test_scores_do_not_depend_on_who_is_scored_beside(begun: AutoSDF) -> None:
    together = begun.score(SHAPES[:3], Run([0]))
    alone = torch.cat([begun.score([shape], Run([0])) for shape in SHAPES[:3]])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.slow
def test_what_was_never_seen_scores_higher_than_what_was(fitted: AutoSDF) -> None:
    cells = np.random.default_rng(0).random((24, 24, 24)) < 0.3
    assert float(fitted.score([Grid(cells)], Run([0]))) > float(fitted.score(SHAPES, Run([0])).max())


@pytest.mark.slow
def test_texts_lead_to_what_they_say(fitted: AutoSDF) -> None:
    """To codes of the shapes that a text is about it adds more than to those of others."""
    tables = [shape for shape in SHAPES if shape.category == "table"]
    chairs = [shape for shape in SHAPES if shape.category == "chair"]
    expert = fitted._told_by_text("a table", Run([0]))

    def gained(shapes: list[catalogue.Shape]) -> float:
        return float(expert.gains(torch.stack([fitted.encode_codes(shape) for shape in shapes])).mean())

    assert gained(tables) > gained(chairs) + 1
    (first,) = fitted.from_text("a table", Run([1]))
    (second,) = fitted.from_text("a tall chair", Run([1]))
    assert not torch.equal(first.values, second.values)


def test_of_several_draws_the_one_is_kept_that_fits_best(begun: AutoSDF) -> None:
    expert = begun._told_by_text("a tall chair", Run([0]))
    told, untold = (logits[0].softmax(-1).log() for logits in (expert.told, expert.untold))

    def gain(codes: torch.Tensor) -> float:
        return sum(float(told[i, code] - untold[i, code]) for i, code in enumerate(codes.tolist()))

    seed = 5
    draws = begun.draw(Run([seed * TRIES + i for i in range(TRIES)]), expert=expert)
    kept = begun.best(Run([seed, 9]), expert)[0]
    assert torch.equal(kept, max(draws, key=gain))
    assert len({round(gain(codes), 3) for codes in draws}) > 1


def test_unknown_words_are_noted_and_nothing_but_them_refused(begun: AutoSDF) -> None:
    notes: list[str] = []
    begun.from_text("a gothic table", Run([0], on_note=notes.append))
    assert notes == ["Not understood: gothic"]
    with pytest.raises(BadRequest, match="none of the words"):
        begun.from_text("xyzzy", Run([0]))


def test_guided_completion_keeps_what_is_given(begun: AutoSDF) -> None:
    table = SHAPES[1]
    known = torch.zeros(24, 24, 24, dtype=torch.bool)
    known[:12] = True
    (found,) = begun.complete_guided(table, known, "a low table", None, Run([2]))
    assert torch.equal(found.occupied[:12], torch.as_tensor(table.voxels(24))[:12])
    (free,) = begun.complete_guided(table, known, "", None, Run([2]))
    (plain,) = begun.complete(table, known, Run([2]))
    assert torch.equal(free.values, plain.values)


def test_shapes_that_say_nothing_teach_nothing_about_texts() -> None:
    system = build()
    grids = [Grid(shape.voxels(24)) for shape in SHAPES[:4]]
    data = training.prepare(system, grids, Run([0]))
    before = {key: value.clone() for key, value in system.text_expert.state_dict().items()}
    assert play(system, "text", data, 1) == [0.0]
    after = system.text_expert.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    # Weights decay a little; no gradient moves them.
    assert all(torch.allclose(before[key], after[key], rtol=1e-3, atol=1e-6) for key in before)
    with pytest.raises(Unsupported, match="not learnt from texts"):
        system.from_text("a chair", Run([0]))


def test_a_model_without_pictures_says_so() -> None:
    with pytest.raises(Unsupported, match="not learnt from pictures"):
        build().from_images(torch.zeros(1, 4, 32, 32), Run([0]))


def test_pictures_of_one_object_are_heard_together() -> None:
    system = build(views=1)
    system.learnt[1] = True
    pictures = torch.rand(3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    each = [system._told_by_images(picture[None]).told.log_softmax(-1) for picture in pictures]
    together = system._told_by_images(pictures).told
    assert torch.allclose(together.log_softmax(-1), torch.stack(each).mean(0).log_softmax(-1), atol=1e-5)
    # What is transparent does not count.
    hidden = pictures.clone()
    hidden[:, 3] = 0
    other = hidden.clone()
    other[:, :3] = 1 - other[:, :3]
    assert torch.equal(system._told_by_images(hidden).told, system._told_by_images(other).told)


def test_a_training_that_ends_early_has_codes() -> None:
    system = build(warm=1000)
    data = training.prepare(system, SHAPES[:6], Run([0]))
    start = system.autoencoder.codebook.vectors.clone()
    play(system, "vq", data, 2)
    assert not torch.equal(system.autoencoder.codebook.vectors, start)
    assert len(system.autoencoder.encode(data["sdf"].float() / 127).unique()) > 8


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        system = AutoSDF.from_config(AutoSDF.presets["paper"])
        assert isinstance(system, AutoSDF)
        vectors = system.autoencoder.encoder(torch.zeros(1, 64, 64, 64))
        assert vectors.shape == (1, 8, 8, 8, 256)
        assert system.autoencoder.decoder(vectors).shape == (1, 64, 64, 64)
        assert system.autoencoder.codebook.vectors.shape == (512, 256)
        order = torch.zeros(1, 512, dtype=torch.int64)
        assert system.prior(system.autoencoder.codebook.vectors, order, order).shape == (1, 512, 512)
        assert system.text_expert(torch.ones(1, 5, dtype=torch.int64)).shape == (1, 512, 512)
    assert len(system.prior.transformer.layers) == 12
    assert system.prior.transformer.width == 768


def test_a_remembered_text_is_chosen_by_how_well_it_fits_what_is_given() -> None:
    system = build()
    texts = torch.zeros(2, 16, dtype=torch.int64)
    texts[0, 0], texts[1, 0] = 1, 2
    places, codes = system.config.side**3, system.config.codes

    def says(words: torch.Tensor) -> torch.Tensor:
        # A text of word w expects code w everywhere; no words expect nothing.
        return 5.0 * torch.nn.functional.one_hot(words[:, 0], codes)[:, None].expand(-1, places, -1).float()

    system.text_expert.forward = says  # type: ignore[method-assign]
    given, observed = torch.full((places,), 2), torch.zeros(places, dtype=torch.bool)
    assert torch.equal(system._fitting(texts, given, observed), torch.zeros(2))
    observed[:3] = True
    likely = system._fitting(texts, given, observed)
    one = says(texts).log_softmax(-1)[:, 0, 2] - says(texts * 0).log_softmax(-1)[:, 0, 2]
    torch.testing.assert_close(likely, autosdf.BELIEVED * 3 * one)
    assert likely[1] > likely[0]


@pytest.mark.slow
def test_sentences_are_remembered(fitted: AutoSDF) -> None:
    data = training.prepare(fitted, SHAPES, Run([0]))
    assert torch.equal(fitted.texts[: len(SHAPES)].long(), data["words"][:, 0])
    assert not fitted.texts[len(SHAPES) :].any()
