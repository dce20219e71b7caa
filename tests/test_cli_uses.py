"""The commands for what models understand and tell, on the shipped models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gen3d_core.__main__ import USAGE_ERROR, main
from gen3d_core.data import catalogue
from gen3d_core.data.files import read_mesh, write_mesh
from gen3d_core.representations import Mesh

ONE = ["--device", "cpu", "--threads", "1"]
SMALL = ["--resolution", "32", *ONE]


def asset(folder: Path, category: str, seed: int, name: str = "") -> Path:
    path = folder / f"{name or f'{category}{seed}'}.glb"
    mesh = catalogue.make(category, seed).mesh()
    write_mesh(path, Mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)), path.stem)
    return path


@pytest.mark.slow
def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "A low, round table!"
    assert main(["text", "furniture-autosdf", words, "--seeds", "1", "2", "--out", str(tmp_path), *SMALL]) == 0
    made = sorted(path.name for path in tmp_path.glob("*.glb"))
    assert made == ["a-low-round-table-1.glb", "a-low-round-table-2.glb"]
    capsys.readouterr()
    assert main(["text", "furniture-vae", words, "--out", str(tmp_path), *SMALL]) == USAGE_ERROR
    assert "cannot make shapes from text" in capsys.readouterr().err


def test_pictures_with_alpha_and_before_a_plain_background(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view, other = catalogue.make("table", 1_000_004).views(2, 96)
    Image.fromarray(view.rgba(), "RGBA").save(tmp_path / "clear.png")
    Image.fromarray((other.over(0.9) * 255).astype(np.uint8), "RGB").save(tmp_path / "plain.png")
    pictures = [str(tmp_path / "clear.png"), str(tmp_path / "plain.png")]
    out = tmp_path / "made"
    assert main(["image", "furniture-r2n2", *pictures, "--seeds", "0", "--out", str(out), *SMALL]) == 0
    (made,) = out.glob("*.glb")
    assert made.name == "clear-0.glb"
    # A table is no higher than wide: here the pictures' table, its longest side fitted to the cube.
    size = np.ptp(read_mesh(made).vertices, axis=0)
    assert 0.5 < size.max() < 1.1
    noisy = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noisy, "RGB").save(tmp_path / "noise.png")
    capsys.readouterr()
    assert main(["image", "furniture-r2n2", str(tmp_path / "noise.png"), *SMALL]) == USAGE_ERROR
    assert "background" in capsys.readouterr().err


def test_classes_are_drawn_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "furniture-shapenets"
    assert main(["sample", model, "--class", "chair", "--seeds", "1", "--out", str(tmp_path), *SMALL]) == 0
    assert (tmp_path / "furniture-shapenets-chair-1.glb").exists()
    capsys.readouterr()
    chair, table = (str(asset(tmp_path, c, 1_000_003)) for c in ("chair", "table"))
    assert main(["classify", model, chair, table, "--json", *ONE]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [max(row["probabilities"], key=row["probabilities"].get) for row in rows] == ["chair", "table"]


@pytest.mark.slow
def test_a_collection_is_labelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "props"
    folder.mkdir()
    for number in range(3):
        asset(folder, "airplane", number, f"a{number}")
        asset(folder, "table", number, f"t{number}")
    given = ["--as", "a0=plane", "--as", "t0=table", "--as", "a1=plane", "--as", "t1=table"]
    assert main(["label", "furniture-gan3d", str(folder), *given, "--json", *ONE]) == 0
    found = json.loads(capsys.readouterr().out)
    labels = {row["name"]: row["label"] for row in found["labels"] if not row["given"]}
    assert labels == {"a2": "plane", "t2": "table"}
    assert main(["label", "furniture-gan3d", str(folder), "--as", "zebra=horse", *ONE]) == USAGE_ERROR
    assert "names no asset" in capsys.readouterr().err


@pytest.mark.slow
def test_views_are_completed_and_latents_added(tmp_path: Path) -> None:
    chair = str(asset(tmp_path, "chair", 1_000_001))
    views = ["complete", "furniture-shapenets", chair, "--view", "30", "20", "--seeds", "1", "2"]
    assert main([*views, "--out", str(tmp_path / "seen"), *SMALL]) == 0
    assert len(list((tmp_path / "seen").glob("*.glb"))) == 2
    sum_of = ["arithmetic", "furniture-vae", "1", "2", "3", "--out", str(tmp_path / "sum")]
    assert main([*sum_of, *SMALL]) == 0
    assert (tmp_path / "sum" / "furniture-vae-1-2-3.glb").exists()


@pytest.mark.slow
def test_shapes_are_refined(tmp_path: Path) -> None:
    chair = str(asset(tmp_path, "chair", 1_000_001))
    assert main(["refine", "furniture-descriptor", chair, "--out", str(tmp_path / "fine"), *SMALL]) == 0
    assert (tmp_path / "fine" / "chair1000001-refined.glb").exists()


@pytest.mark.slow
def test_a_text_guides_a_completion(tmp_path: Path) -> None:
    table = str(asset(tmp_path, "table", 1_000_002))
    guided = [
        "complete",
        "furniture-autosdf",
        table,
        "--box",
        "-1",
        "-1",
        "-1",
        "1",
        "1",
        "0",
        "--text",
        "pedestal table",
    ]
    assert main([*guided, "--engine-frame", "--seeds", "1", "--out", str(tmp_path / "guided"), *SMALL]) == 0
    assert len(list((tmp_path / "guided").glob("*.glb"))) == 1


def test_a_completion_keeps_the_triangles_of_what_is_outside_of_a_box(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = asset(tmp_path, "table", 1_000_002)
    box = ["--box", "-9", "-9", "-9", "9", "9", "0.1", "--engine-frame", "--exact"]
    asked = ["complete", "furniture-vae", str(table), "--seeds", "1", "--format", "ply", "--out", str(tmp_path), *SMALL]
    assert main([*asked, *box]) == 0
    assert read_mesh(tmp_path / f"{table.stem}-completed-1.ply").is_closed()
    assert main([*asked, "--view", "30", "20", "--exact"]) == USAGE_ERROR
    assert "no triangles to be kept" in capsys.readouterr().err
