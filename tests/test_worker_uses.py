"""The worker on the shipped voxel models: text, pictures, views, classes, labels, refining, cancelling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gen3d_core.data import catalogue
from gen3d_core.data.catalogue.union import union
from gen3d_core.data.winding import Triangles
from gen3d_core.preview import Scene
from gen3d_core.protocol import Event, Request
from gen3d_core.representations import Mesh
from gen3d_core.representations.camera import towards_origin
from tests.test_worker import Engine, collection, results

SHAPENETS, DESCRIPTOR, AUTOSDF = "furniture-shapenets", "furniture-descriptor", "furniture-autosdf"
PICTURES = ("furniture-r2n2", "furniture-vaegan", AUTOSDF)
ALL = (*PICTURES, SHAPENETS, DESCRIPTOR, "furniture-vae", "furniture-gan3d")
#: Those that are loaded and draw in no time.
QUICK = ("furniture-vae", "furniture-r2n2")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    assert engine.close() == 0


def mesh(category: str, seed: int) -> dict[str, Any]:
    found = catalogue.make(category, seed).mesh()
    return {"vertices": found.vertices.astype(np.float32), "faces": found.faces.astype(np.int32)}


def pictures(category: str, seed: int) -> np.ndarray:
    return np.stack([view.rgba() for view in catalogue.make(category, seed).views(2, 64)])


def extent(event: Event) -> np.ndarray:
    return np.ptp(np.asarray(event.arrays["vertices"]), axis=0)


@pytest.mark.slow
def test_text_gives_what_was_asked_for(engine: Engine) -> None:
    (low,) = results(engine.ask("from_text", AUTOSDF, text="a low round table", seeds=[1], resolution=32))
    (tall,) = results(engine.ask("from_text", AUTOSDF, text="a tall chair with a back", seeds=[1], resolution=32))
    assert extent(low)[2] < 0.75 * extent(low)[:2].max()
    assert extent(tall)[2] > extent(tall)[:2].max()


@pytest.mark.slow
def test_text_without_a_known_word_is_refused(engine: Engine) -> None:
    *_, last = engine.ask("from_text", AUTOSDF, text="xyzzy", seeds=[1], resolution=32)
    assert last.kind == "error"


@pytest.mark.slow
@pytest.mark.parametrize("model", PICTURES)
def test_pictures_give_a_shape(engine: Engine, model: str) -> None:
    arrays = {"pictures": pictures("table", 1_000_002)}
    (found,) = results(engine.ask("from_images", model, arrays, seeds=[1], resolution=32))
    assert len(found.arrays["faces"]) > 100


def test_pictures_of_a_wrong_kind_are_refused(engine: Engine) -> None:
    *_, last = engine.ask("from_images", PICTURES[0], {"pictures": np.zeros((2, 8, 8, 3), np.uint8)}, seeds=[1])
    assert last.kind == "error"
    *_, last = engine.ask("from_images", "furniture-vae", {"pictures": pictures("table", 3)}, seeds=[1])
    assert "does not read pictures" in last.values["message"]


def test_a_view_is_completed_where_the_artist_has_it(engine: Engine) -> None:
    """A camera in the artist's coordinates sees a chair that is three times as large and stands elsewhere."""
    chair = catalogue.make("chair", 1_000_001).mesh()
    camera = towards_origin(30, 20, 64)
    depth = Scene(chair).depth(camera)
    scale, centre = 3.0, np.array([5.0, -2.0, 1.0])
    pose = camera.pose.copy()
    pose[:3, 3] = pose[:3, 3] * scale + centre
    described = {**camera.to_dict(), "transform_matrix": pose.tolist()}
    box = np.stack([chair.vertices.min(0), chair.vertices.max(0)]) * scale + centre
    events = engine.ask(
        "complete_view",
        SHAPENETS,
        {"depth": (depth * scale).astype(np.float32)},
        camera=described,
        bounds=box.tolist(),
        seeds=[1, 2],
        resolution=32,
    )
    found = results(events)
    assert len(found) == 2
    for event in found:
        vertices = np.asarray(event.arrays["vertices"])
        middle = (vertices.min(0) + vertices.max(0)) / 2
        assert np.abs(middle - box.mean(0)).max() < 0.5
        assert 0.6 < np.ptp(vertices, axis=0).max() / np.ptp(box, axis=0).max() < 1.3


def test_a_camera_that_sees_nothing_is_told_so(engine: Engine) -> None:
    camera = towards_origin(0, 0, 16)
    events = engine.ask(
        "complete_view", SHAPENETS, {"depth": np.zeros((16, 16), np.float32)}, camera=camera.to_dict(), seeds=[1]
    )
    assert "sees nothing" in events[-1].values["message"]


def test_classes_are_drawn_and_recognised(engine: Engine) -> None:
    (table,) = results(engine.ask("sample", SHAPENETS, **{"class": "table"}, seeds=[3], resolution=32))
    assert len(table.arrays["faces"]) > 100
    *_, last = engine.ask("sample", SHAPENETS, **{"class": "boat"}, seeds=[3], resolution=32)
    assert "no class 'boat'" in last.values["message"]
    (found,) = results(engine.ask("classify", SHAPENETS, mesh("chair", 1_000_003), fit=True))
    assert found.values["classes"][0] == "chair"
    assert sum(found.values["probabilities"]) == pytest.approx(1, abs=1e-3)


def test_arithmetic_with_latents(engine: Engine) -> None:
    model = "furniture-vae"
    drawn = results(engine.ask("sample", model, seeds=[1, 2, 3], resolution=32))
    a, b, c = (event.arrays["latent"] for event in drawn)
    (same,) = results(engine.ask("arithmetic", model, {"a": a, "b": a, "c": c}, resolution=32))
    assert np.array_equal(same.arrays["vertices"], drawn[2].arrays["vertices"])
    (other,) = results(engine.ask("arithmetic", model, {"a": a, "b": b, "c": c}, resolution=32))
    assert np.allclose(other.arrays["latent"], a - b + c, atol=1e-5)


@pytest.mark.slow
def test_the_rest_of_a_collection_is_labelled(engine: Engine) -> None:
    assets = [catalogue.make(c, seed).mesh() for seed in range(4) for c in ("airplane", "table")]
    arrays, counts = collection(*((a.vertices.astype(np.float32), a.faces.astype(np.int32)) for a in assets))
    given = ["plane", "desk", "plane", "desk", "", "", "", ""]
    events = engine.ask(
        "label", "furniture-gan3d", arrays, names=[str(i) for i in range(8)], **counts, fit=True, labels=given
    )
    found = results(events)
    assert [event.values["index"] for event in found] == [4, 5, 6, 7]
    assert [event.values["label"] for event in found] == ["plane", "desk", "plane", "desk"]
    assert "4 labelled from 4 examples" in events[-1].values["sentence"]


@pytest.mark.slow
def test_refining_and_the_energy_that_is_shown(engine: Engine) -> None:
    (fine,) = results(engine.ask("refine", DESCRIPTOR, mesh("table", 1_000_001), fit=True, resolution=32))
    assert len(fine.arrays["faces"]) > 100
    events = engine.ask("sample", DESCRIPTOR, seeds=[1], resolution=32)
    shown = [event.values["text"] for event in events if event.kind == "progress"]
    assert any("energy" in text for text in shown)


@pytest.mark.parametrize("model", [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in ALL])
def test_every_voxel_model_is_cancelled_while_it_samples(engine: Engine, model: str) -> None:
    engine.send(Request("long", "sample", model, {"seeds": list(range(100_000)), "resolution": 32}))
    engine.until("progress")
    assert engine.cancel("long") == {"stop": "done", "long": "cancelled"}


@pytest.mark.slow
@pytest.mark.parametrize("fit", [False, True])
def test_the_kept_part_of_a_completion_has_its_own_vertices(engine: Engine, fit: bool) -> None:
    """By selected faces and by a box, of a table that an artist has elsewhere and in another size, too."""
    table = union(catalogue.make("table", 1_000_001))
    vertices = (table.vertices * 3 + np.array([5, -2, 1])).astype(np.float32) if fit else table.vertices
    low, high = vertices.min(0), vertices.max(0)
    border = float(low[2] + 0.6 * (high[2] - low[2]))
    anew = vertices[table.faces][:, :, 2].mean(axis=1) < border
    asked: dict[str, Any] = {"seeds": [1], "resolution": 64, "fit": fit, "exact": True}
    arrays = {"vertices": vertices, "faces": table.faces, "selected": anew}
    (chosen,) = results(engine.ask("complete", "furniture-vae", arrays, **asked))
    box = [[*(low[:2] - 1).tolist(), float(low[2]) - 1], [*(high[:2] + 1).tolist(), border]]
    arrays = {"vertices": vertices, "faces": table.faces}
    (cut,) = results(engine.ask("complete", "furniture-vae", arrays, box=box, **asked))
    assert chosen.values["note"] == cut.values["note"] == ""
    # Within a cell of the border the new part may cover a vertex.
    beside = Triangles(vertices.astype(np.float64), table.faces[anew].astype(np.int64)).nearest(vertices).distance
    far = beside > 1.5 / 64 * np.ptp(vertices, axis=0).max()
    for event, stays in ((chosen, far), (cut, vertices[:, 2] > border)):
        made, kept = np.asarray(event.arrays["vertices"]), np.asarray(event.arrays["kept"])
        assert np.array_equal(made[kept >= 0], vertices[kept[kept >= 0]])
        away = vertices[stays]
        assert len(away) > 20
        there = {one.tobytes() for one in made + np.float32(0)}
        assert sum(one.tobytes() in there for one in away + np.float32(0)) == len(away)
        assert Mesh(made, np.asarray(event.arrays["faces"])).is_closed()


def test_selected_faces_that_leave_nothing_are_refused(engine: Engine) -> None:
    given = mesh("table", 1_000_001)
    for chosen, reason in ((True, "Every face is selected"), (False, "No face is selected")):
        arrays = {**given, "selected": np.full(len(given["faces"]), chosen)}
        *_, last = engine.ask("complete", "furniture-vae", arrays, seeds=[1], resolution=32)
        assert reason in last.values["message"]
