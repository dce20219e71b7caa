"""Collections of meshes: found, read, and each told about."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh

from gen3d_core.data import files, library
from gen3d_core.data.cache import Cache
from gen3d_core.errors import BadMesh, BadRequest
from gen3d_core.run import Cancelled, Run

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data" / "cc0"


def box(*extents: float) -> trimesh.Trimesh:
    return trimesh.creation.box(extents=extents or (1, 1, 1))


def gltf(folder: Path, name: str, shape: trimesh.Trimesh | trimesh.Scene) -> None:
    """A .gltf and its .bin, under one name."""
    scene = shape if isinstance(shape, trimesh.Scene) else trimesh.Scene(shape)
    exported = scene.export(file_type="gltf")
    assert isinstance(exported, dict)
    document = json.loads(exported.pop("model.gltf"))
    for number, buffer in enumerate(document["buffers"]):
        data = exported.pop(buffer["uri"])
        buffer["uri"] = f"{name}%20{number}.bin"
        (folder / f"{name} {number}.bin").write_bytes(data)
    (folder / f"{name}.gltf").write_text(json.dumps(document))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "collection"
    (root / "deeper").mkdir(parents=True)
    box(1, 1, 2).export(root / "b.stl")
    box().export(root / "a 🪑 ü.ply")
    gltf(root / "deeper", "c", box(1, 2, 1))
    (root / "notes.txt").write_text("no mesh")
    (root / ".hidden.stl").write_bytes(b"")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "b.stl").write_bytes(b"")
    return root


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def sides(outcome: library.Outcome) -> list[float]:
    assert outcome.solid is not None, outcome.problem
    return np.ptp(outcome.solid.mesh.vertices, axis=0).tolist()


# Finding


def test_a_folder_is_searched_to_the_bottom_in_order(folder: Path) -> None:
    assert [item.name for item in library.scan(folder)] == ["a 🪑 ü", "b", "deeper/c"]


def test_names_can_be_given_by_a_file(folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps({"b": "Chair.001", "nothing": "else"}))
    assert [item.name for item in library.scan(folder)] == ["a 🪑 ü", "Chair.001", "deeper/c"]
    (folder / "names.json").write_text("{ damaged")
    assert [item.name for item in library.scan(folder)] == ["a 🪑 ü", "b", "deeper/c"]


def test_shared_names_are_told_apart(folder: Path) -> None:
    box().export(folder / "b.obj")
    (folder / "names.json").write_text(json.dumps({"b": "same"}))
    assert [item.name for item in library.scan(folder)] == ["a 🪑 ü", "same.obj", "same.stl", "deeper/c"]
    twice = library.scan([folder / "b.stl", folder / "b.stl"])
    assert [item.name for item in twice] == ["b.stl", "b.stl (2)"]


def test_files_and_folders_can_be_mixed(folder: Path, tmp_path: Path) -> None:
    box().export(tmp_path / "z.off")
    found = library.scan([tmp_path / "z.off", folder, tmp_path / "gone.stl"])
    assert [item.name for item in found] == ["z", "a 🪑 ü", "b", "deeper/c", "gone"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nowhere"):
        library.scan(tmp_path / "nowhere")
    assert library.scan(tmp_path) == []


# Reading


def test_every_format_gives_the_same_solid(tmp_path: Path, store: Cache) -> None:
    shape = trimesh.util.concatenate([box(1, 0.5, 0.5), box(0.3, 0.3, 1).apply_translation((0.2, 0.2, 0.5))])
    turned = shape.copy().apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    for kind in ("ply", "stl", "off"):
        shape.export(tmp_path / f"z.{kind}")
    for kind in ("glb", "obj"):
        turned.export(tmp_path / f"y.{kind}")
    gltf(tmp_path, "y", turned)
    outcomes = library.convert(library.scan(tmp_path), cache=store)
    assert [outcome.name for outcome in outcomes] == ["y.glb", "y.gltf", "y.obj", "z.off", "z.ply", "z.stl"]
    grids = [outcome.solid.voxels(24) for outcome in outcomes if outcome.solid]
    assert len(grids) == 6
    assert all(np.array_equal(grid, grids[0]) for grid in grids)


def test_objects_with_transforms_are_one_asset(tmp_path: Path, store: Cache) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(box(), transform=trimesh.transformations.translation_matrix([0, 4, 0]))
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])
    scene.add_geometry(box(), transform=mirrored)
    gltf(tmp_path, "two", scene)
    (outcome,) = library.convert(library.scan(tmp_path), cache=store)
    assert sides(outcome) == pytest.approx([0.18, 0.18, 0.9], abs=1e-5)
    assert outcome.notes == []
    assert outcome.solid is not None
    assert outcome.solid.winding(np.array([[0, 0, 0.36], [0, 0, 0], [0, 0, -0.36]])) == pytest.approx(
        [1, 0, 1], abs=0.02
    )


def test_a_zip_is_read_without_unpacking(folder: Path, tmp_path: Path, store: Cache) -> None:
    box().export(tmp_path / "inner.stl")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.write(tmp_path / "inner.stl", "inner.stl")
    with zipfile.ZipFile(tmp_path / "pack.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for path in folder.rglob("*"):
            file.write(path, f"my assets/{path.relative_to(folder)}")
        file.writestr("../evil.stl", b"x")
        file.write(tmp_path / "inner.zip", "inner.zip")
        file.writestr("old.fbx", b"Kaydara FBX Binary")
    before = sorted(tmp_path.rglob("*"))
    outcomes = library.convert(library.scan(tmp_path / "pack.zip"), cache=Cache(None))
    assert sorted(tmp_path.rglob("*")) == before
    good = {outcome.name: sides(outcome) for outcome in outcomes if outcome.solid}
    assert good == {
        "my assets/a 🪑 ü": pytest.approx([0.9, 0.9, 0.9]),
        "my assets/b": pytest.approx([0.45, 0.45, 0.9]),
        "my assets/deeper/c": pytest.approx([0.45, 0.45, 0.9]),
    }
    refused = {outcome.name: outcome.problem for outcome in outcomes if not outcome.solid}
    assert set(refused) == {"../evil", "inner", "old"}
    assert "leads out" in (refused["../evil"] or "")
    assert "zip inside a zip" in (refused["inner"] or "")
    assert "Train panel" in (refused["old"] or "")


def test_zips_in_a_folder_are_looked_into(folder: Path, store: Cache) -> None:
    with zipfile.ZipFile(folder / "more.zip", "w") as file:
        file.write(folder / "b.stl", "b.stl")
    (folder / "broken.zip").write_bytes(b"no zip")
    outcomes = library.convert(library.scan(folder), cache=store)
    assert [outcome.name for outcome in outcomes] == ["a 🪑 ü", "b", "broken", "deeper/c", "more/b"]
    assert [outcome.name for outcome in outcomes if outcome.problem] == ["broken"]


def test_what_a_gltf_names_outside_of_the_collection_is_not_opened(folder: Path, tmp_path: Path, store: Cache) -> None:
    path = folder / "deeper" / "c.gltf"
    (folder / "deeper" / "c 0.bin").rename(tmp_path / "c.bin")
    document = json.loads(path.read_text())
    for buffer in document["buffers"]:
        buffer["uri"] = "../../c.bin"
    path.write_text(json.dumps(document))
    (outcome,) = [one for one in library.convert(library.scan(folder), cache=store) if one.problem]
    assert outcome.name == "deeper/c"
    assert "outside" in (outcome.problem or "")


# Telling


def test_bad_files_get_a_sentence_each_and_the_rest_goes_on(folder: Path, store: Cache) -> None:
    (folder / "empty.obj").write_bytes(b"")
    (folder / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    (folder / "nan.obj").write_text("v nan 0 0\nv 1 0 0\nv 0 inf 0\nf 1 2 3\n")
    (folder / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    (folder / "text.glb").write_text("no mesh")
    (folder / "old.fbx").write_bytes(b"Kaydara FBX Binary  ")
    gltf(folder, "lonely", box())
    (folder / "lonely 0.bin").unlink()
    with (folder / "huge.stl").open("wb") as file:
        file.truncate(2 << 30)
    outcomes = library.convert(library.scan(folder), cache=store)
    problems = {outcome.name: outcome.problem for outcome in outcomes if outcome.problem}
    expected = {
        "empty": "empty",
        "points": "no faces",
        "nan": "not numbers",
        "flat": "no area",
        "text": "not a glTF",
        "old": "Train panel",
        "lonely": "missing",
        "huge": "2,048 MiB",
    }
    assert set(problems) == set(expected)
    for name, words in expected.items():
        sentence = problems[name] or ""
        assert words in sentence, name
        assert sentence.endswith(".")
        assert str(folder) not in sentence
    assert [outcome.name for outcome in outcomes if outcome.solid] == ["a 🪑 ü", "b", "deeper/c"]


def test_a_million_faces_without_area_are_refused(tmp_path: Path, store: Cache) -> None:
    faces = np.zeros(1_000_000, dtype=[("n", "u1"), ("v", "<i4", 3)])
    faces["n"] = 3
    header = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    )
    header += "element face 1000000\nproperty list uchar int vertex_indices\nend_header\n"
    vertices = np.arange(12, dtype="<f4").tobytes()
    (tmp_path / "many.ply").write_bytes(header.encode() + vertices + faces.tobytes())
    (outcome,) = library.convert(library.scan(tmp_path / "many.ply"), cache=store)
    assert "no area" in (outcome.problem or "") or "one place" in (outcome.problem or "")


def test_too_many_faces_are_refused(tmp_path: Path, store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    box().export(tmp_path / "box.ply")
    monkeypatch.setattr(files, "MOST_FACES", 11)
    (outcome,) = library.convert(library.scan(tmp_path), cache=store)
    assert "Decimate" in (outcome.problem or "")


def test_repairs_are_told(folder: Path, store: Cache) -> None:
    inverted = box(1, 1, 2)
    inverted.invert()
    inverted.export(folder / "b.stl")
    outcomes = library.convert(library.scan(folder), cache=store)
    assert [outcome.notes for outcome in outcomes] == [[], ["parts that were inside out turned (1)"], []]
    assert all(outcome.seconds > 0 for outcome in outcomes)


# Keeping


def test_what_was_prepared_is_found_again_by_its_content(folder: Path, store: Cache) -> None:
    first = library.convert(library.scan(folder), cache=store)
    entries = sorted((store.folder or Path()).rglob("*.npz"))
    assert len(entries) == 3
    (folder / "b.stl").rename(folder / "renamed.stl")
    again = library.convert(library.scan(folder), cache=store)
    assert sorted((store.folder or Path()).rglob("*.npz")) == entries
    by_name = {outcome.name: outcome for outcome in again}
    for name, old in (("a 🪑 ü", first[0]), ("renamed", first[1]), ("deeper/c", first[2])):
        solid = by_name[name].solid
        assert solid is not None
        assert old.solid is not None
        assert np.array_equal(solid.sdf_grid(16), old.solid.sdf_grid(16))
        assert by_name[name].notes == old.notes
    box(3, 1, 1).export(folder / "renamed.stl")
    changed = library.convert(library.scan(folder), cache=store)
    assert sides(changed[2]) == pytest.approx([0.9, 0.3, 0.3])


def test_a_changed_bin_file_is_seen(folder: Path, store: Cache) -> None:
    library.convert(library.scan(folder), cache=store)
    gltf(folder / "deeper", "c", box(1, 4, 1))
    assert sides(library.convert(library.scan(folder), cache=store)[2]) == pytest.approx([0.225, 0.225, 0.9])


def test_damaged_entries_are_made_anew(folder: Path, store: Cache) -> None:
    library.convert(library.scan(folder), cache=store)
    for path in (store.folder or Path()).rglob("*.npz"):
        np.savez(path, nonsense=np.zeros(3))
    outcomes = library.convert(library.scan(folder), cache=store)
    assert [outcome.problem for outcome in outcomes] == [None, None, None]


def test_an_interrupted_conversion_goes_on_where_it_was(folder: Path, store: Cache) -> None:
    run = Run([0], on_progress=lambda fraction: fraction < 0.5)
    with pytest.raises(Cancelled):
        library.convert(library.scan(folder), run, cache=store)
    assert len(list((store.folder or Path()).rglob("*.npz"))) == 2
    done: list[float] = []
    run = Run([0], on_progress=lambda fraction: done.append(fraction) is None)
    assert len(library.convert(library.scan(folder), run, cache=store)) == 3
    assert done == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.slow
def test_processes_give_the_same_in_the_same_order(folder: Path, store: Cache) -> None:
    (folder / "empty.obj").write_bytes(b"")
    items = library.scan(folder)
    alone = library.convert(items, processes=1, cache=Cache(None))
    together = library.convert(items, processes=2, cache=store)
    assert [outcome.name for outcome in together] == [item.name for item in items]
    assert [(one.notes, one.problem) for one in together] == [(one.notes, one.problem) for one in alone]
    for one, other in zip(alone, together, strict=True):
        if one.solid is not None and other.solid is not None:
            assert np.array_equal(one.solid.voxels(16), other.solid.voxels(16))
    assert len(list((store.folder or Path()).rglob("*.npz"))) == 3


def test_items_read_as_meshes_in_their_own_units(folder: Path) -> None:
    meshes = [item.read() for item in library.scan(folder)]
    assert [np.ptp(mesh.vertices, axis=0).tolist() for mesh in meshes] == [[1, 1, 1], [1, 1, 2], [1, 1, 2]]
    with pytest.raises(BadMesh, match="no file"):
        library.scan([folder, folder / "gone.stl"])[-1].read()


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the CC0 props")
def test_real_props_convert(store: Cache) -> None:
    wanted = (
        "rugRound",
        "chair",
        "pottedPlant",
        "Curtains_Double",
        "cardboardBoxOpen",
        "kitchentable_sink",
        "Houseplant_7",
    )
    items = [item for item in library.scan(SHARED) if item.name.rpartition("/")[2] in wanted]
    assert len(items) == len(wanted)
    start = time.process_time()
    outcomes = library.convert(items, processes=1, cache=store)
    assert time.process_time() - start < 20
    for outcome in outcomes:
        assert outcome.solid is not None, outcome.problem
        # The shape is there in every grid: at least as much as a sheet over its longest sides would be.
        for resolution in (32, 64):
            assert outcome.solid.voxels(resolution).sum() > resolution**2 / 50, outcome.name
