"""The command line, as a person calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh

from gen3d_core import cards
from gen3d_core.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
MODEL = "furniture-vae"
COMMANDS = (
    *("list", "info", "sample", "interpolate", "vary", "complete", "reconstruct", "score", "augment"),
    *("train", "evaluate", "serve", "bench", "text", "image", "classify", "label", "arithmetic", "refine"),
)


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests leave nothing in the user's folders, and find nothing there."""
    monkeypatch.setenv("GEN3D_CACHE", "off")


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_module_is_the_same_door() -> None:
    command = [sys.executable, "-m", "gen3d_core", "list", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert MODEL in [card["id"] for card in found]
    assert all({"id", "system", "output", "abilities", "licence"} <= set(card) for card in found)


def test_list_and_info(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("list", capsys=capsys)
    assert status == 0
    assert MODEL in out
    status, out, _ = run("info", MODEL, "--json", capsys=capsys)
    assert status == 0
    assert json.loads(out)["system"] == "voxels.vae"


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl", "x3d"])
def test_sample_writes_one_file_a_seed_in_every_format(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--seeds", "1", "2", "--resolution", "32", "--format", kind, "--out", str(tmp_path), "--json")
    status, out, _ = run("sample", MODEL, "--device", "cpu", *arguments, capsys=capsys)
    assert status == 0
    files = [Path(row["file"]) for row in json.loads(out)]
    assert [file.name for file in files] == [f"{MODEL}-1.{kind}", f"{MODEL}-2.{kind}"]
    if kind != "x3d":
        assert all(trimesh.load_mesh(file).is_watertight for file in files)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in files}


def test_quads_are_kept_where_the_format_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--quads", "--faces", "600", "--resolution", "32", "--format", "obj", "--out", str(tmp_path), "--json")
    status, out, _ = run("sample", MODEL, "--device", "cpu", *arguments, capsys=capsys)
    assert status == 0
    ((row,), faces) = json.loads(out), (tmp_path / f"{MODEL}-1.obj").read_text().count("\nf ")
    assert 200 < row["faces"] == faces <= 600
    assert len(trimesh.load_mesh(row["file"]).faces) == 2 * faces


def test_same_seed_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, seeds in (("a", ["7"]), ("b", ["3", "7"])):
        arguments = ("--seeds", *seeds, "--resolution", "32", "--format", "ply", "--out", str(tmp_path / folder))
        assert run("sample", MODEL, "--device", "cpu", *arguments, capsys=capsys)[0] == 0
    assert (tmp_path / f"a/{MODEL}-7.ply").read_bytes() == (tmp_path / f"b/{MODEL}-7.ply").read_bytes()


@pytest.mark.slow
def test_verbs_on_an_artists_mesh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sample, then vary, interpolate, reconstruct, score, and complete what was cut off by hand."""
    common = ("--device", "cpu", "--resolution", "32", "--out", str(tmp_path))
    assert run("sample", MODEL, "--seeds", "5", *common, capsys=capsys)[0] == 0
    chair = tmp_path / f"{MODEL}-5.glb"
    assert run("vary", MODEL, "--of", str(chair), "--seeds", "1", "--amount", "0.2", *common, capsys=capsys)[0] == 0
    row = ("--from", "5", "--to", str(chair), "--steps", "3", "--json")
    status, out, _ = run("interpolate", MODEL, *row, *common, capsys=capsys)
    assert status == 0
    assert [step["t"] for step in json.loads(out)] == [0.0, 0.5, 1.0]
    assert run("reconstruct", MODEL, str(chair), *common, capsys=capsys)[0] == 0
    status, out, _ = run("score", MODEL, str(chair), "--device", "cpu", "--json", capsys=capsys)
    assert status == 0
    assert json.loads(out)["entries"][0]["name"] == chair.stem
    mesh = trimesh.load_mesh(chair, process=False)
    mesh.update_faces(mesh.triangles_center[:, 1] < 0.1)
    cut = tmp_path / "cut.ply"
    mesh.apply_transform(trimesh.transformations.rotation_matrix(3.141592653589793 / 2, [1, 0, 0]))
    mesh.export(cut)
    arguments = (str(cut), "--engine-frame", "--seeds", "1", "2", "--json")
    status, out, _ = run("complete", MODEL, *arguments, *common, capsys=capsys)
    assert status == 0
    assert len(json.loads(out)) == 2


def made(count: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[Path]:
    """Mesh files of the model's own shapes."""
    seeds = [str(seed) for seed in range(1, count + 1)]
    arguments = ("--seeds", *seeds, "--resolution", "32", "--out", str(folder), "--device", "cpu")
    assert run("sample", MODEL, *arguments, capsys=capsys)[0] == 0
    return sorted(folder.glob("*.glb"))


@pytest.mark.slow
def test_a_folder_is_ranked_and_what_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "assets"
    made(2, folder, capsys)
    trimesh.creation.box((1, 1, 0.9)).export(folder / "block 📦.ply")
    (folder / "broken.obj").write_text("v 0 0 0\n")
    status, out, _ = run("score", MODEL, str(folder), "--device", "cpu", "--json", capsys=capsys)
    assert status == 0
    values = json.loads(out)
    assert values["entries"][0]["name"] == "block 📦"
    assert len(values["entries"]) == 3
    assert [name for name, _ in values["refused"]] == ["broken"]
    status, out, _ = run("score", MODEL, str(folder), "--device", "cpu", "--quick", capsys=capsys)
    assert status == 0
    first, *_, sentence, left_out = out.splitlines()
    assert first.split()[0] == "1"
    assert first.endswith("block 📦")
    assert sentence.startswith("Each asset was scored once")
    assert left_out.startswith("Left out: broken: ")


def test_assets_are_told_from_usual_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Packed grids: tables against random cells; the area under the curve is in the answer."""
    import numpy as np

    random = np.random.Generator(np.random.PCG64(0))
    grids = {"block": random.random((4, 32, 32, 32)) < 0.5, "table": np.zeros((8, 32, 32, 32), bool)}
    grids["table"][:, 4:28, 4:28, 20:23] = grids["table"][:, 14:18, 14:18, 4:20] = True
    for i in range(8):
        grids["table"][i, 4 + i // 4 : 28, 4:28, 20 : 22 + i % 4] = True
    packed = tmp_path / "grids.npz"
    np.savez(packed, **{name: np.packbits(cells.reshape(len(cells), -1), axis=1) for name, cells in grids.items()})
    arguments = (f"{packed}:block", f"{packed}:table", "--usual", f"{packed}:table", "--usual-first", "4", "--quick")
    status, out, _ = run("score", MODEL, *arguments, "--device", "cpu", "--json", capsys=capsys)
    assert status == 0
    values = json.loads(out)
    assert {row["name"] for row in values["entries"][:4]} == {f"block {i}" for i in range(4)}
    assert values["auroc"][f"{packed}:block"] == 1
    assert values["auroc"][f"{packed}:table"] < 0.9
    assert values["auroc"]["all"] < 1
    assert values["entries"][0]["percentile"] == 100
    status, out, _ = run("score", MODEL, *arguments, "--device", "cpu", capsys=capsys)
    assert "AUROC against 4 usual assets" in out


@pytest.mark.parametrize("model", [True, False])
def test_augment_writes_variations_with_their_provenance(
    model: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(2, tmp_path / "assets", capsys)
    names = (MODEL, str(tmp_path / "assets")) if model else (str(tmp_path / "assets"), "--without-model")
    common = ("--resolution", "32", "--device", "cpu", "--json", "--out", str(tmp_path / "new"))
    options = ("--count", "2", "--amount", "0.5", "--seed", "7", "--licence", "CC0-1.0")
    status, out, _ = run("augment", *names, *options, *common, capsys=capsys)
    assert status == 0
    rows = json.loads((tmp_path / "new/provenance.json").read_text(encoding="utf-8"))
    assert rows == json.loads(out)["variations"]
    assert len(rows) == 4
    assert {row["source"] for row in rows} == {f"{MODEL}-1", f"{MODEL}-2"}
    assert {path.name for path in (tmp_path / "new").glob("*.glb")} == {row["file"] for row in rows}
    for row in rows:
        assert row["source_licence"] == "CC0-1.0"
        assert row["seed"] in (7, 8)
        assert row["weights"] == (cards.find(MODEL).sha256 if model else None)
        assert row["method"] == ("model" if model else "geometry")
        # It differs from the asset and from the other variation, and it is no other thing.
        assert 0.003 < row["distance"] < 0.3
        assert row["distance_to_next"] > 0.003
        source = trimesh.load_mesh(tmp_path / "assets" / f"{row['source']}.glb")
        variation = trimesh.load_mesh(tmp_path / "new" / row["file"])
        assert abs(variation.bounds - source.bounds).max() < 0.4
    before = {row["file"]: row for row in rows}
    one = str(tmp_path / "assets" / f"{MODEL}-1.glb")
    names = (MODEL, one) if model else (one, "--without-model")
    assert run("augment", *names, "--count", "2", "--seed", "8", "--amount", "0.5", *common, capsys=capsys)[0] == 0
    after = {row["file"]: row for row in json.loads((tmp_path / "new/provenance.json").read_text(encoding="utf-8"))}
    # Earlier records stay; a file that was written again has the new one.
    assert len(after) == 5
    assert after[f"{MODEL}-1-variation-7.glb"] == before[f"{MODEL}-1-variation-7.glb"]
    again = f"{MODEL}-1-variation-8.glb"
    assert (before[again]["source_licence"], after[again]["source_licence"]) == ("CC0-1.0", None)
    assert after[again]["distance"] == pytest.approx(before[again]["distance"], abs=0.005)


def test_augment_goes_on_after_a_bad_asset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    trimesh.creation.box((1, 2, 3)).export(folder / "a box.ply")
    (folder / "broken.obj").write_text("v 0 0 0\n")
    common = ("--without-model", "--count", "1", "--out", str(tmp_path / "new"))
    status, out, _ = run("augment", str(folder), *common, capsys=capsys)
    assert status == 0
    assert "a-box-variation-1.glb" in out
    assert "Left out: broken: " in out
    assert (tmp_path / "new/a-box-variation-1.glb").exists()


@pytest.mark.slow
def test_sheet_is_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    arguments = ("--seeds", "1", "2", "3", "--resolution", "32", "--out", str(tmp_path))
    sheet = tmp_path / "sheet.png"
    assert run("sample", MODEL, "--device", "cpu", *arguments, "--sheet", str(sheet), capsys=capsys)[0] == 0
    with Image.open(sheet) as image:
        assert image.width == 3 * image.height


def test_auto_says_what_it_chose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run("sample", MODEL, "--resolution", "16", "--out", str(tmp_path), capsys=capsys)
    assert "device: " in err
    assert "(auto)" in err


def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.obj"
    empty.write_text("v 0 0 0\nv 1 0 0\n")
    damaged = tmp_path / "zoo" / "damaged"
    shutil.copytree(cards.BUNDLED / MODEL, damaged)
    weights = damaged / cards.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    pickled = tmp_path / "zoo" / "pickled"
    shutil.copytree(cards.BUNDLED / MODEL, pickled)
    (pickled / cards.WEIGHTS).write_bytes(b"\x80\x04\x95this would run")
    cases = [
        (("sample", "no-such-model"), "no-such-model"),
        (("sample", str(damaged)), "damaged"),
        (("info", str(damaged)), "damaged"),
        (("sample", str(pickled)), "pickle"),
        (("sample", MODEL, "--resolution", "100000"), "out of range"),
        (("sample", MODEL, "--device", "toaster"), "not a device"),
        (("score", MODEL, str(empty)), "faces"),
        (("score", MODEL, str(tmp_path / "nowhere")), "neither"),
        (("augment", MODEL, str(tmp_path / "nowhere")), "no file"),
        (("augment", MODEL), "No assets"),
        (("augment", "--without-model", str(empty)), "faces"),
        (("augment", MODEL, str(empty), "--count", "0"), "0 variations"),
        (("reconstruct", MODEL, str(tmp_path / "missing.glb")), "no file"),
        (("interpolate", MODEL, "--from", "1", "--to", "2", "--steps", "1"), "two ends"),
        (("vary", MODEL, "--of", "1", "--amount", "3"), "out of range"),
        (("train", "voxels.nothing", "--data", "catalogue:chair", "--out", str(tmp_path / "m")), "no system"),
        (("train", "voxels.vae", "--data", "catalogue:ship", "--out", str(tmp_path / "m")), "ship"),
        (("train", "voxels.vae", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "m")), "neither"),
    ]
    for arguments, words in cases:
        status, out, err = run(*arguments, capsys=capsys)
        lines = [line for line in err.splitlines() if not line.startswith("device:") and "%|" not in line]
        assert status == 2, arguments
        assert len(lines) == 1, (arguments, err)
        assert words in lines[0], arguments
        assert lines[0].endswith((".", "'")), lines[0]
        assert out == "", arguments


def test_errors_are_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("sample", "no-such-model", "--json", capsys=capsys)
    assert status == 2
    assert json.loads(out)["error"]["kind"] == "unknown-model"


@pytest.mark.slow
def test_train_makes_a_model_that_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("channels=[4,8,8,8]", "hidden=16", "latent=4", "components=2")
    arguments = ["--data", "catalogue:chair,table", "--count", "8", "--steps", "vae=6", "--batch-size", "4"]
    arguments += [part for size in sizes for part in ("--set", size)]
    arguments += ["--out", str(tmp_path / "zoo/tiny"), "--run", str(tmp_path / "run"), "--device", "cpu", "--json"]
    status, out, _ = run("train", "voxels.vae", *arguments, capsys=capsys)
    assert status == 0
    assert json.loads(out)["model"] == "tiny"
    status, out, _ = run("info", "tiny", "--zoo", str(tmp_path / "zoo"), capsys=capsys)
    assert status == 0
    assert "gen3d train voxels.vae --data catalogue:chair,table --count 8" in out
    # A model is never overwritten.
    assert run("train", "voxels.vae", *arguments, capsys=capsys)[0] == 2
