"""The extension's zip: the same bytes everywhere, the right contents, accepted by Blender; and its environments."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import build_addon
import gen3d_core

ROOT = Path(build_addon.__file__).parent
SOURCES = ("LICENSE", "blender_manifest.toml", "build_addon.py", "blender_addon", "gen3d_core", "models_zoo")
THIS_PYTHON = (sys.version_info[0], sys.version_info[1])

Checkout = Callable[[str], Path]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Makes copies of what the zip is built from, each under a name of its own."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for source in SOURCES:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / source)
        return folder

    return copy


def build(folder: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """Runs the command in a copy, without Blender."""
    command = [sys.executable, "build_addon.py", "build", "--no-validate"]
    return subprocess.run(command, cwd=folder, umask=umask, capture_output=True, text=True, check=False)


def zip_of(folder: Path) -> Path:
    """The one zip that was built in a copy."""
    (path,) = (folder / "dist").glob("*.zip")
    return path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of this checkout."""
    return build_addon.pack(tmp_path_factory.mktemp("dist"))


def test_same_bytes_from_every_checkout(checkout: Checkout) -> None:
    plain, other = checkout("plain"), checkout("other place")
    for number, path in enumerate(sorted(other.rglob("*"))):
        path.chmod(0o700)
        os.utime(path, (number * 86_400, number * 86_400))
    junk = other / "gen3d_core" / "__pycache__"
    junk.mkdir()
    (junk / "junk.pyc").write_bytes(b"junk")
    (other / "blender_addon" / ".hidden").write_text("junk")
    (other / "models_zoo" / ".half-saved").mkdir()
    (other / "models_zoo" / ".half-saved" / "config.json").write_text("{}")
    for folder, umask in ((plain, 0o022), (other, 0o077)):
        result = build(folder, umask)
        assert result.returncode == 0, result.stderr
    assert zip_of(plain).name == zip_of(other).name == f"gen3d-{gen3d_core.__version__}.zip"
    assert zip_of(plain).read_bytes() == zip_of(other).read_bytes()


def test_a_changed_file_changes_the_bytes(checkout: Checkout) -> None:
    folder = checkout("changed")
    with (folder / "LICENSE").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert build(folder).returncode == 0
    assert zip_of(folder).read_bytes() != build_addon.archive(build_addon.contents())


def test_contents(packed: Path) -> None:
    with zipfile.ZipFile(packed) as zipped:
        names = zipped.namelist()
        assert zipped.testzip() is None
        for package in ("blender_addon", "gen3d_core"):
            expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
            assert expected
            assert expected <= set(names)
        for name in ("LICENSE", "blender_manifest.toml"):
            assert zipped.read(name) == (ROOT / name).read_bytes()
    assert names == sorted(set(names))
    assert {name.split("/")[0] for name in names} <= {*SOURCES, "__init__.py"} - {"build_addon.py"}
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.endswith((".pyc", "/"))]


def test_every_model_is_complete(packed: Path) -> None:
    with zipfile.ZipFile(packed) as zipped:
        packed_files = sorted(name for name in zipped.namelist() if name.startswith("models_zoo/"))
    models = sorted(path.parent.name for path in (ROOT / "models_zoo").glob("*/config.json"))
    files = ("README.md", "config.json", "model.safetensors", "preview.png")
    sliders = "directions.safetensors"
    expected = [f"models_zoo/{model}/{name}" for model in models for name in files]
    expected += [f"models_zoo/{m}/{sliders}" for m in models if (ROOT / "models_zoo" / m / sliders).exists()]
    assert packed_files == sorted(expected)


def test_entry_hands_over_to_the_addon(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as zipped:
        entry = zipped.read("__init__.py").decode()
    assert len(entry.splitlines()) == 3
    package = tmp_path / "extension"
    (package / "blender_addon").mkdir(parents=True)
    (package / "__init__.py").write_text(entry)
    (package / "blender_addon" / "__init__.py").write_text("def register(): return 1\ndef unregister(): return 2\n")
    code = "import extension; print(extension.register(), extension.unregister())"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["1", "2"]


def test_versions_agree() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert build_addon.version() == manifest["version"] == gen3d_core.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "gen3d_core.__version__"}


def edit(path: Path, old: str, new: str) -> None:
    """Replaces what is known to be in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def damage_version(folder: Path) -> str:
    version = gen3d_core.__version__
    edit(folder / "blender_manifest.toml", f'version = "{version}"', 'version = "9.8.7"')
    return f"blender_manifest.toml says version 9.8.7, gen3d_core.__version__ {version}. Make them equal."


def damage_model(folder: Path) -> str:
    model = folder / "models_zoo" / "half"
    model.mkdir()
    (model / "README.md").touch()
    (model / "config.json").touch()
    return "The model half has no model.safetensors. Complete it, or move it away."


def damage_package(folder: Path) -> str:
    (folder / "gen3d_core" / "notes.orig").touch()
    return "gen3d_core/notes.orig is not of a kind that belongs into the extension"


@pytest.mark.parametrize("damage", [damage_version, damage_model, damage_package])
def test_what_cannot_be_built_is_said(checkout: Checkout, damage: Callable[[Path], str]) -> None:
    folder = checkout("damaged")
    expected = damage(folder)
    result = build(folder)
    assert result.returncode == 1
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "dist").exists()


def with_manifest(packed: Path, target: Path, old: str, new: str) -> Path:
    """A copy of the zip in which something of the manifest is replaced."""
    with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    manifest = files["blender_manifest.toml"].decode()
    assert old in manifest
    files["blender_manifest.toml"] = manifest.replace(old, new).encode()
    path = target / packed.name
    path.write_bytes(build_addon.archive(files))
    return path


def test_validator_of_the_module(packed: Path, tmp_path: Path) -> None:
    build_addon.validate_with_module(packed, Path(sys.executable))
    wrong = with_manifest(packed, tmp_path, '"Add Mesh"', '"Chairs"')
    with pytest.raises(build_addon.BuildError, match="Blender does not accept"):
        build_addon.validate_with_module(wrong, Path(sys.executable))


@pytest.mark.skipif("BLENDER" not in os.environ, reason="BLENDER names no Blender")
def test_validator_of_a_blender(packed: Path, tmp_path: Path) -> None:
    build_addon.validate(packed)
    wrong = with_manifest(packed, tmp_path, '"Add Mesh"', '"Chairs"')
    with pytest.raises(build_addon.BuildError, match="Blender does not accept"):
        build_addon.validate(wrong)


def test_blender_that_is_not_there(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLENDER", str(tmp_path / "none"))
    with pytest.raises(build_addon.BuildError, match="Blender does not accept"):
        build_addon.validate(packed)
    with pytest.raises(build_addon.BuildError, match="has no Blender"):
        build_addon.validate_with_module(packed, Path(sys.executable).resolve())


@pytest.mark.parametrize("arguments", [["build", "--nonsense"], ["demo", "nonsense"], ["nonsense"], []])
def test_wrong_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        build_addon.main(arguments)
    assert stop.value.code == 2
    assert "usage: build_addon.py" in capsys.readouterr().err


def environment_in(folder: Path) -> build_addon.Environment:
    """One without packages, so that nothing has to be fetched."""
    requirements = folder / "requirements.txt"
    requirements.write_text("# none\n")
    return build_addon.Environment(folder / "an environment", requirements, (THIS_PYTHON,), "Nothing is fetched.")


@pytest.fixture
def environment(tmp_path: Path) -> build_addon.Environment:
    """An environment that does not exist yet."""
    return environment_in(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> build_addon.Environment:
    """A finished environment; making one takes long, so the tests share it and change copies."""
    environment = environment_in(tmp_path_factory.mktemp("made"))
    environment.ensure()
    return environment


@pytest.fixture
def copied(made: build_addon.Environment, environment: build_addon.Environment) -> build_addon.Environment:
    """A copy of a finished environment, with a witness that is gone if it is made anew."""
    shutil.copytree(made.folder, environment.folder, symlinks=True)
    (environment.folder / "witness").touch()
    return environment


def spoil(environment: build_addon.Environment) -> None:
    """Makes the next installation fail."""
    missing = environment.folder.parent / "missing.whl"
    environment.requirements.write_text(f"nothing @ {missing.as_uri()}\n")


def mend(environment: build_addon.Environment) -> None:
    """Takes back what :func:`spoil` did."""
    environment.requirements.write_text("# none, again\n")


@pytest.mark.slow
def test_environment_is_made_once(made: build_addon.Environment, capsys: pytest.CaptureFixture[str]) -> None:
    result = subprocess.run([made.python, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert str(made.folder) in result.stdout
    assert made.ensure() == made.python
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_changed_requirements_and_moved_checkouts_renew_it(
    copied: build_addon.Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    for change in (lambda: None, lambda: mend(copied)):
        change()
        copied.ensure()
        assert "Installing packages" in capsys.readouterr().out
        copied.ensure()
        assert capsys.readouterr().out == ""
    assert (copied.folder / "witness").exists()


@pytest.mark.slow
def test_half_made_environment_is_made_anew(copied: build_addon.Environment) -> None:
    spoil(copied)
    with pytest.raises(build_addon.BuildError, match="could not be installed"):
        copied.ensure()
    mend(copied)
    copied.ensure()
    assert not (copied.folder / "witness").exists()
    assert copied.ready.exists()
    assert not copied.unfinished.exists()


@pytest.mark.slow
def test_environment_of_somebody_else_is_never_removed(copied: build_addon.Environment) -> None:
    copied.ready.unlink()
    spoil(copied)
    with pytest.raises(build_addon.BuildError, match="could not be installed"):
        copied.ensure()
    mend(copied)
    copied.ensure()
    spoil(copied)
    with pytest.raises(build_addon.BuildError, match="could not be installed"):
        copied.ensure()
    mend(copied)
    copied.ensure()
    assert (copied.folder / "witness").exists()


def test_environment_of_another_python_is_refused(environment: build_addon.Environment) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
    with pytest.raises(build_addon.BuildError, match="was made elsewhere and has 3"):
        replace(environment, versions=((2, 7),)).ensure()


def test_no_suitable_python_is_said(environment: build_addon.Environment) -> None:
    with pytest.raises(build_addon.BuildError, match=r"none of python3\.4 is on PATH"):
        replace(environment, versions=((3, 4),)).ensure()
    assert not environment.folder.exists()
