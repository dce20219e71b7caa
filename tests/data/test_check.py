"""``gen3d data check``: one line an asset, then the sums."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trimesh
from PIL import Image

from gen3d_core.__main__ import main


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GEN3D_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "assets"
    root.mkdir()
    trimesh.creation.box().export(root / "good.stl")
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    sheet.export(root / "my sheet ✿.ply")
    (root / "old.fbx").write_bytes(b"Kaydara")
    return root


def test_each_asset_has_a_line_and_the_sums_follow(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("good")
    assert lines[0].endswith(" s  ok")
    assert lines[1].startswith("my sheet ✿")
    assert "repaired: open sheets thickened (100% of the surface)" in lines[1]
    assert "refused: FBX files are not read here." in lines[2]
    assert "3 assets: 1 as they are, 1 repaired, 1 refused." in lines
    assert "      1  open sheets thickened" in lines


def test_the_same_as_json(folder: Path, capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert main(["data", "check", str(folder), "--json", "--no-cache"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [asset["ok"] for asset in values["assets"]] == [True, True, False]
    assert values["summary"]["repairs"] == {"open sheets thickened": 1}
    assert values["assets"][0]["full"] == pytest.approx(0.9**3, rel=0.1)
    assert all(asset["seconds"] > 0 for asset in values["assets"] if asset["ok"])
    assert not list(cache.rglob("*.npz"))


def test_a_sheet_of_the_solids(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(folder), "--sheet", str(folder / "out" / "sheet.png"), "--columns", "2"]) == 0
    with Image.open(folder / "out" / "sheet.png") as picture:
        assert picture.width == 240
        assert picture.getextrema() != ((244, 244), (242, 242), (239, 239))
    assert "2 solids" in capsys.readouterr().err


def test_nothing_to_check_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(tmp_path)]) == 2
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 2
    assert "no meshes" in capsys.readouterr().err
