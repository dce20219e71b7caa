#!/usr/bin/env python3
"""Gen3D from a clean checkout: set up, demonstrate, test and build. Needs nothing but Python 3.11 or newer.

python3 build_addon.py demo
python3 build_addon.py test [PYTEST ARGUMENTS]
python3 build_addon.py build
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may be asked to run
    sys.exit(f"This is Python {sys.version.split()[0]}; expected 3.11 or newer. Run it again with python3.11 or newer.")

import argparse
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
DIST = ROOT / "dist"
OUT = ROOT / "out"
MANIFEST = ROOT / "blender_manifest.toml"

#: Blender as a Python module exists for exactly one Python per release: 4.2 to 5.0 for 3.11, 5.2 for 3.13.
BLENDER_PYTHONS = ((3, 11), (3, 13))
OLDER_PYTHONS = ((3, 11),)

#: One exact version: a range would let pip choose a newer build for CUDA, gigabytes larger, over one for the CPU.
TORCH = "torch==2.13.0"

MAKER = "build_addon.py"

ENTRY = """from .blender_addon import register, unregister

__all__ = ("register", "unregister")
"""
PACKAGES = ("blender_addon", "gen3d_core")
PACKAGE_FILES = {".py", ".json", ".png", ".svg"}
MODEL_FILES = ("README.md", "config.json", "model.safetensors", "preview.png")
#: Shape sliders, of models that have them: ``gen3d directions MODEL`` writes them.
SLIDERS_FILE = "directions.safetensors"


class BuildError(Exception):
    """Why a command cannot go on: what happened, and what to do."""


def say(text: str) -> None:
    """Tells the user what happens now."""
    print(f"== {text}", flush=True)


def run(command: Sequence[str | Path], failure: str, variables: Mapping[str, str] | None = None) -> None:
    """Runs a command in the checkout, its output shown as it comes.

    Args:
        command: program and arguments.
        failure: what it means when it does not succeed.
        variables: of the environment, on top of those that are there.

    Raises:
        BuildError: it cannot be started or did not succeed.
    """
    try:
        words = [str(part) for part in command]
        code = subprocess.run(words, cwd=ROOT, env={**os.environ, **(variables or {})}, check=False).returncode
    except OSError as error:
        raise BuildError(f"{failure} ({error})") from error
    if code != 0:
        raise BuildError(f"{failure} (exit status {code}: {shlex.join(str(part) for part in command)})")


# Environments -------------------------------------------------------------------------------------------------------


def find_python(versions: Sequence[tuple[int, int]], outside: Path) -> Path | None:
    """An interpreter of one of ``versions`` that can make virtual environments: the running one, or one on PATH.

    Args:
        versions: major and minor numbers, the preferred one first.
        outside: a folder that it must not be in, because that folder is about to be made.

    Raises:
        BuildError: only interpreters that cannot make virtual environments were found.
    """
    names = [sys.executable, *(shutil.which(f"python{major}.{minor}") for major, minor in versions)]
    crippled = ""
    for name in names:
        if not name or Path(name).is_relative_to(outside):
            continue
        # Started rather than looked at: launchers of version managers are on PATH for Pythons that are not installed.
        code = "import sys; print(*sys.version_info[:2]); import ensurepip, venv"
        probe = subprocess.run([name, "-c", code], capture_output=True, text=True, check=False)
        if probe.stdout.split() not in [[str(major), str(minor)] for major, minor in versions]:
            continue
        if probe.returncode == 0:
            return Path(name)
        crippled = name
    if crippled:
        raise BuildError(
            f"{crippled} cannot make virtual environments: its modules venv and ensurepip are missing. "
            "Install them (on Debian and Ubuntu: apt install python3-venv) and run this again."
        )
    return None


@dataclass(frozen=True)
class Environment:
    """A virtual environment in the checkout: made when it is missing, renewed when its requirements change.

    Two files in it tell its state: one that is there while it is being made, and one, written last, that says what is
    in it. An environment that was left half made is made anew; one that somebody else made is added to, never removed.

    Args:
        folder: of the environment.
        requirements: file of pinned packages.
        versions: Pythons it can be made with, as major and minor numbers.
        effort: how much it fetches and how long that may take, for the user.
        project: whether torch and ``gen3d_core`` itself belong into it.
    """

    folder: Path
    requirements: Path
    versions: tuple[tuple[int, int], ...]
    effort: str
    project: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def ready(self) -> Path:
        """Written last; holds what the environment was made from."""
        return self.folder / "gen3d-ready.json"

    @property
    def unfinished(self) -> Path:
        """There from before the first step until after the last."""
        return self.folder / "gen3d-unfinished"

    def ensure(self, torch: str = "") -> Path:
        """Makes or renews the environment where that is needed, and returns its interpreter.

        Args:
            torch: what pip is to install as torch; empty for what was chosen before, or else :data:`TORCH`.

        Raises:
            BuildError: there is no suitable Python, or an installation failed.
        """
        state = self._state()
        torch = torch or state.get("torch", "") or TORCH
        wanted = self._wanted(torch)
        if state.items() >= wanted.items() and self.python.exists() and not self.unfinished.exists():
            return self.python
        self._prepare_folder()
        ours = self.unfinished.exists() or state.get("maker") == MAKER
        if ours:
            self.unfinished.touch()
        self.ready.unlink(missing_ok=True)
        say(f"Installing packages into {self.folder.name}. {self.effort}")
        self._install(torch)
        state = {**self._wanted(torch), "maker": MAKER if ours else "somebody else"}
        self.ready.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        self.unfinished.unlink(missing_ok=True)
        return self.python

    def _prepare_folder(self) -> None:
        if self.unfinished.exists():
            say(f"{self.folder.name} was left half made: making it anew.")
            shutil.rmtree(self.folder)
        if not self.folder.exists():
            python = find_python(self.versions, outside=self.folder)
            if python is None:
                raise BuildError(
                    f"This is Python {sys.version.split()[0]}, and none of {_python_names(self.versions)} is on PATH. "
                    "Blender as a Python module needs one of them: install it and run this again."
                )
            say(f"Making the virtual environment {self.folder.name} with {python}.")
            self.folder.mkdir()
            self.unfinished.touch()
            run([python, "-m", "venv", self.folder], f"The virtual environment {self.folder} could not be made.")
        if not self.python.exists() or self._version()[:2] not in self.versions:
            found = ".".join(map(str, self._version())) or "no Python that runs"
            raise BuildError(
                f"{self.folder} was made elsewhere and has {found}; expected one of {_python_names(self.versions)}. "
                "Move it away or delete it, and run this again."
            )

    def _install(self, torch: str) -> None:
        pip = [self.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        again = "Read pip's message above; after a broken connection or a full disk, repair that and run this again."
        if self.project and torch == TORCH and _lacks_nvidia():
            say(
                "No NVIDIA driver was found here. Where pip's index has torch only for CUDA, that is several gigabytes "
                "more. To choose another build: --torch SPEC (or GEN3D_TORCH), such as torch==2.13.0+cpu or the path "
                "of a wheel; pip's own PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS say where to look for it."
            )
        extra = [torch] if self.project else []
        run([*pip, "-r", self.requirements, *extra], f"Packages could not be installed into {self.folder}. {again}")
        if self.project:
            # Without dependencies, which are pinned above, and with the pinned setuptools instead of a fetched one.
            options = ["--no-deps", "--no-build-isolation", "--quiet", "--editable"]
            run([*pip, *options, ROOT], f"gen3d_core could not be installed into {self.folder}. {again}")

    def _state(self) -> dict[str, str]:
        try:
            state = json.loads(self.ready.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # missing or damaged: not ready, either way
            return {}
        return {key: str(value) for key, value in state.items()} if isinstance(state, dict) else {}

    def _wanted(self, torch: str) -> dict[str, str]:
        sources = [self.requirements, *([ROOT / "pyproject.toml"] if self.project else [])]
        return {
            # The interpreters' scripts and the project's own entry hold this path: a moved checkout is set up again.
            "folder": str(self.folder),
            "python": ".".join(map(str, self._version())),
            "sources": hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest(),
            "version": version() if self.project else "",
            "torch": torch if self.project else "",
        }

    def _version(self) -> tuple[int, ...]:
        """Of its Python, from the file that makes a folder a virtual environment; empty when there is none."""
        try:
            lines = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except OSError:
            return ()
        pairs = (line.partition("=") for line in lines)
        values = {key.strip(): value.strip() for key, _, value in pairs}
        return tuple(int(number) for number in values.get("version", "").split(".")[:3] if number.isdigit())


MAIN = Environment(
    folder=ROOT / ".venv",
    requirements=ROOT / "requirements.txt",
    versions=BLENDER_PYTHONS,
    effort="About 1 GB is fetched (Blender, PyTorch): 3 to 15 minutes, only this once.",
    project=True,
)


def _older(blender: str) -> Environment:
    """The environment of an older Blender with long-term support; nothing but its tests' scripts run there."""
    return Environment(
        folder=ROOT / f".venv-blender-{blender}",
        requirements=ROOT / f"requirements-blender-{blender}.txt",
        versions=OLDER_PYTHONS,
        effort=f"About 0.4 GB is fetched (Blender {blender} LTS): 1 to 8 minutes, only this once.",
    )


#: By the Blenders' versions: that of today's studios, and the oldest that the manifest allows.
OLDER = {blender: _older(blender) for blender in ("4.5", "4.2")}


def _python_names(versions: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"python{major}.{minor}" for major, minor in versions)


def _lacks_nvidia() -> bool:
    return sys.platform == "linux" and not Path("/proc/driver/nvidia").exists() and not shutil.which("nvidia-smi")


# The extension ------------------------------------------------------------------------------------------------------


def version() -> str:
    """The version of the extension.

    Raises:
        BuildError: the manifest and the engine name different ones, or none.
    """
    try:
        named = str(tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"{MANIFEST.name} has no version that can be read: {error!r}. Restore it.") from error
    source = (ROOT / "gen3d_core" / "__init__.py").read_text(encoding="utf-8")
    line = re.search(r'^__version__ = "(.*)"$', source, re.MULTILINE)
    if line is None or line[1] != named:
        raise BuildError(
            f"{MANIFEST.name} says version {named}, gen3d_core.__version__ {line[1] if line else 'is missing'}. "
            "Make them equal."
        )
    return named


def contents() -> dict[str, bytes]:
    """The extension's files by their names in the zip.

    Raises:
        BuildError: a model is incomplete, or a package holds a file of an unexpected kind.
    """
    files = {"__init__.py": ENTRY.encode()}
    for name in (MANIFEST.name, "LICENSE"):
        files[name] = (ROOT / name).read_bytes()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            inner = path.relative_to(ROOT)
            if path.is_dir() or "__pycache__" in inner.parts or any(part.startswith(".") for part in inner.parts):
                continue
            if path.suffix not in PACKAGE_FILES:
                raise BuildError(
                    f"{inner} is not of a kind that belongs into the extension ({', '.join(sorted(PACKAGE_FILES))}). "
                    "Delete it, or add its kind to PACKAGE_FILES in build_addon.py."
                )
            files[inner.as_posix()] = path.read_bytes()
    for card in sorted((ROOT / "models_zoo").glob("[!.]*/config.json")):
        for name in MODEL_FILES:
            path = card.parent / name
            if not path.is_file():
                raise BuildError(f"The model {card.parent.name} has no {name}. Complete it, or move it away.")
            files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
        if (sliders := card.parent / SLIDERS_FILE).is_file():
            files[sliders.relative_to(ROOT).as_posix()] = sliders.read_bytes()
    return files


def archive(files: dict[str, bytes]) -> bytes:
    """A zip of ``files`` that depends on their names and bytes alone: not on dates, permissions, order or machine."""
    buffer = io.BytesIO()
    # Stored, since compressors differ in their output from one build of zlib to the next; weights hardly shrink anyway.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also when made on Windows
            entry.external_attr = 0o100644 << 16
            zipped.writestr(entry, files[name])
    return buffer.getvalue()


def pack(folder: Path = DIST) -> Path:
    """Writes the extension's zip into a folder and returns its path.

    Raises:
        BuildError: see :func:`version` and :func:`contents`.
    """
    path = folder / f"gen3d-{version()}.zip"
    data = archive(contents())
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
    say(f"{path}: {len(data) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(data).hexdigest()}")
    return path


def validate(path: Path, torch: str = "") -> None:
    """Lets Blender judge the zip: the one that BLENDER names, or else the one in .venv.

    Raises:
        BuildError: there is no Blender, or it finds fault.
    """
    if blender := os.environ.get("BLENDER"):
        say(f"Validating with {blender}.")
        # One that install_blender.sh made has a file system of its own: it has to be shown the folder of the zip.
        shared = ":".join(filter(None, (os.environ.get("GEN3D_BIND"), str(path.parent))))
        run([blender, "--command", "extension", "validate", path], rejection(path), {"GEN3D_BIND": shared})
        return
    try:
        python = MAIN.ensure(torch)
    except BuildError as error:
        raise BuildError(
            f"{path.name} is built, but there is no Blender here to validate it: {error} Or set BLENDER to the path of "
            "a Blender, or leave the validation out with --no-validate."
        ) from error
    validate_with_module(path, python)


def validate_with_module(path: Path, python: Path) -> None:
    """Lets the validator that comes with Blender as a Python module judge the zip.

    Args:
        path: of the zip.
        python: that has the module.

    Raises:
        BuildError: the module is not there, or it finds fault.
    """
    code = "import importlib.util; print(*importlib.util.find_spec('bpy').submodule_search_locations)"
    probe = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    validators = sorted(Path(probe.stdout.strip()).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if probe.returncode != 0 or not validators:
        raise BuildError(f"{python} has no Blender as a Python module (bpy). Choose one that has.")
    # The list of tags that Blender's own command enforces; the bare script would accept any.
    tags = validators[0].parents[3] / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    say(f"Validating with the Blender of {python}.")
    run([python, validators[0], "validate", "--valid-tags", tags, path], rejection(path))


def rejection(path: Path) -> str:
    """What to say when Blender finds fault with a zip."""
    return f"Blender does not accept {path.name}. Its reasons are above."


# Commands -----------------------------------------------------------------------------------------------------------


def build(options: argparse.Namespace) -> int:
    """Builds the zip and has it validated."""
    path = pack()
    if options.no_validate:
        say("Not validated, as asked for.")
    else:
        validate(path, options.torch)
    return 0


def demo(options: argparse.Namespace) -> int:
    """Shows the whole way from the zip to a picture."""
    python = MAIN.ensure(options.torch)
    path = pack()
    say(f"Running the demonstration in headless Blender. It takes about 4 minutes on two cores and writes to {OUT}.")
    script = ROOT / "docs" / "demo.py"
    run([python, script, "--extension", path, "--out", OUT], "The demonstration did not succeed; see above.")
    return 0


def test(options: argparse.Namespace) -> int:
    """Runs the test suite."""
    python = MAIN.ensure(options.torch)
    for blender, older in OLDER.items():
        if older.python.exists() or find_python(older.versions, outside=older.folder):
            older.ensure()
        else:
            names = _python_names(older.versions)
            say(f"Tests in Blender {blender} LTS are left out: they need {names}, which is not here.")
    say("Running the tests. They take about 45 minutes on two cores.")
    return subprocess.run([python, "-m", "pytest", *options.pytest], cwd=ROOT, check=False).returncode


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="build_addon.py",
        description="Gen3D from a clean checkout. Every command does its own set-up: the first one installs pinned "
        "packages into .venv in this folder, the next ones start at once.",
        allow_abbrev=False,
    )
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--torch",
        metavar="SPEC",
        default=os.environ.get("GEN3D_TORCH", ""),
        help=f"what pip installs as torch: a requirement or the path of a wheel; kept for later (default: GEN3D_TORCH, "
        f"or {TORCH}). Where to look for it is told by pip's own variables, such as PIP_EXTRA_INDEX_URL.",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for action, text in (
        (demo, "generate, interpolate and complete chairs in headless Blender, and render them to out/"),
        (test, "run the test suite; further arguments go to pytest"),
        (build, "build the extension's zip in dist/, the same bytes on every machine, and validate it"),
    ):
        name = action.__name__
        command = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        command.set_defaults(action=action)
        if action is build:
            command.add_argument("--no-validate", action="store_true", help="do not let Blender check the zip")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    options, rest = parser().parse_known_args(arguments)
    if rest and options.action is not test:
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    options.pytest = rest
    started = time.monotonic()
    try:
        status = options.action(options)
    except BuildError as error:
        print(f"build_addon.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build_addon.py: stopped. Running the command again takes up where it can.", file=sys.stderr)
        return 130
    say(f"Done in {time.monotonic() - started:.0f} s.")
    return status


if __name__ == "__main__":
    sys.exit(main())
