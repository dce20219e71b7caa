"""The installer of the engine's Python, without Blender: real environments and real pip, with small stand-in wheels."""

from __future__ import annotations

import functools
import http.server
import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen3d_core import runs
from tests import stand_ins

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gen3d_extension"
#: Names a folder with wheels of everything, for the one test that installs the real thing.
WHEELS = "GEN3D_TEST_WHEELS"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="The stand-in for a Python is a script with a #! line.")


def _part(name: str) -> Any:
    """A module of the extension that needs no Blender, as the extension has it: inside a package of its own."""
    for package, folder in ((PACKAGE, ROOT), (f"{PACKAGE}.blender_addon", ROOT / "blender_addon")):
        if package not in sys.modules:
            module = types.ModuleType(package)
            module.__path__ = [str(folder)]
            sys.modules[package] = module
    return importlib.import_module(f"{PACKAGE}.blender_addon.{name}")


driver, environment, interpreters = (_part(f"installer.{n}") for n in ("driver", "environment", "interpreters"))
downloads, installation, packages = (_part(f"installer.{n}") for n in ("downloads", "installation", "packages"))
children, pip_words, plans = (_part(f"installer.{n}") for n in ("children", "pip_words", "plans"))
engine = _part("engine")
# The extension's copy of the class, not the one of gen3d_core.
EngineError = importlib.import_module(f"{PACKAGE}.gen3d_core.errors").EngineError


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_ins.quick_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of wheels that make a whole engine, as far as the trial can tell."""
    folder = tmp_path / "my wheels"
    stand_ins.torch(folder, "1.0+cpu", ["beta"])
    stand_ins.wheel(folder, "alpha", "1.0", requires=["beta"])
    stand_ins.wheel(folder, "beta", "2.0")
    return folder


@pytest.fixture
def plan(tmp_path: Path, folder: Path, python: Path) -> Any:
    contents = packages.Contents(
        torch="1.0",
        packages=(
            packages.Package("alpha", "1.0"),
            packages.Package("beta", "2.0", stand_ins.sha256(folder / "beta-2.0-py3-none-any.whl")),
            packages.Package("old", "0.1", marker="python_version < '3.11'"),
        ),
        extras=(packages.Package("gamma", "3.0"),),
        modules=("torch", "alpha", "beta"),
    )
    choice = packages.choose("cpu", None, "1.0", "linux")
    # A name that is hard to quote: artists are called so.
    return plans.Plan(tmp_path / "Łukasz O'Hara" / "engine", choice, contents, folder, bases=(python,), room=0)


def _run(plan: Any) -> Any:
    one = installation.Installation(plan)
    seen = [0.0]
    while not one.ended:
        start = time.monotonic()
        seconds = one.poll()
        assert time.monotonic() - start < 5.0, "the window would have stood still"
        assert one.fraction >= seen[-1]
        seen.append(one.fraction)
        if not one.ended:
            time.sleep(seconds)
    return one


def _fails(plan: Any, sentence: str, remedy: str) -> Any:
    """Checks that an installation fails in these words and leaves nothing that looks complete."""
    one = _run(plan)
    assert one.error is not None
    assert sentence in one.error.message, (one.error.message, one.error.details)
    assert remedy in one.error.remedy, one.error.remedy
    assert one.made is None
    assert environment.find(plan.root) is None
    assert not (plan.root / environment.LOCK).exists()
    return one


# What is planned -----------------------------------------------------------------------------------------------------


def test_versions_are_those_that_are_tested_with() -> None:
    pinned: dict[str, set[str]] = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([\w.-]+)==([\w.]+)", line):
            pinned.setdefault(packages.normal(found[1]), set()).add(found[2])
    for package in (*packages.CONTENTS.packages, *packages.CONTENTS.extras):
        assert package.version in pinned[packages.normal(package.name)], package
    assert f'"torch=={packages.TORCH}"' in (ROOT / "build_addon.py").read_text(encoding="utf-8")
    names = {package.name for package in packages.CONTENTS.packages if package.fits((3, 13, 1))} | {"torch"}
    assert {engine.PIP_NAMES.get(name, name) for name in engine.PACKAGES} <= names
    numpys = [package.version for package in packages.CONTENTS.packages if package.name == "numpy"]
    assert [p.version for p in packages.CONTENTS.packages if p.name == "numpy" and p.fits((3, 11))] == [numpys[0]]
    assert [p.version for p in packages.CONTENTS.packages if p.name == "numpy" and p.fits((3, 14))] == [numpys[1]]


@pytest.mark.parametrize(
    ("text", "version", "cuda"),
    [
        ("| NVIDIA-SMI 550.54.14  Driver Version: 550.54.14  CUDA Version: 12.4 |", "550.54.14", (12, 4)),
        ("| NVIDIA-SMI 595.10  KMD Version: 1  Driver Version: 595.10  CUDA UMD Version: 13.2 |", "595.10", (13, 2)),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "", (0, 0)),
        ("| NVIDIA-SMI 390.1  Driver Version: 390.1  CUDA Version: N/A |", "", (0, 0)),
    ],
)
def test_driver_is_read(text: str, version: str, cuda: tuple[int, int]) -> None:
    assert driver.parse(text) == (driver.Driver(version, cuda) if version else None)


def test_driver_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Driver Version: 560.1 CUDA Version: 12.6'\n")
    assert driver.find(str(program)) is None, "it cannot be executed"
    program.chmod(0o755)
    assert driver.find(str(program)) == driver.Driver("560.1", (12, 6))
    program.write_text("#!/bin/sh\necho 'Driver Version: 560.1 CUDA Version: 12.6'\nexit 9\n")
    assert driver.find(str(program)) is None
    assert driver.find("no-such-program-here") is None


@pytest.mark.parametrize(
    ("build", "cuda", "platform", "chosen", "first", "word"),
    [
        ("auto", None, "linux", "cpu", "2.0+cpu", "No NVIDIA driver"),
        ("auto", (12, 4), "linux", "cuda", "2.0+cu129", "the build for CUDA"),
        ("auto", (13, 0), "win32", "cuda", "2.0+cu132", "the build for CUDA"),
        ("auto", (14, 1), "linux", "cuda", "2.0+cu132", "the build for CUDA"),
        ("auto", (11, 4), "linux", "cpu", "2.0+cpu", "too old"),
        ("auto", None, "darwin", "cpu", "2.0", "Apple"),
        ("cpu", (13, 0), "linux", "cpu", "2.0+cpu", "as chosen"),
        ("cuda", None, "linux", "cuda", "2.0+cu129", "no NVIDIA driver was found"),
        ("cuda", (11, 4), "linux", "cuda", "2.0+cu129", "renew the driver"),
    ],
)
def test_build_is_chosen(
    build: str, cuda: tuple[int, int] | None, platform: str, chosen: str, first: str, word: str
) -> None:
    choice = packages.choose(build, driver.Driver("1.2", cuda) if cuda else None, "2.0", platform)
    assert (choice.build, choice.versions[0], choice.versions[-1]) == (chosen, first, "2.0")
    assert word in choice.reason


def test_large_builds_are_known() -> None:
    assert packages.is_large("2.0", "linux")
    assert not packages.is_large("2.0+cpu", "linux")
    assert not packages.is_large("2.0", "win32")
    assert not packages.is_large("2.0", "darwin")


def test_other_contents_have_another_name(plan: Any) -> None:
    other = replace(plan, contents=replace(plan.contents, torch="1.1"))
    assert other.key != plan.key
    assert plan.key.startswith("cpu-")
    assert len(plan.key) < 20, "paths inside it are long enough"


def test_pythons_are_found_and_judged(tmp_path: Path) -> None:
    def script(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    stub = script("python3.14", "exit 9")
    (tmp_path / "python3.13").touch(mode=0o755)
    found = interpreters.candidates(str(tmp_path))
    assert stub in found
    assert tmp_path / "python3.13" not in found, "an empty file is no Python"
    assert found.index(stub) > 0, "Blender's own comes first"
    assert Path(os.path.realpath(sys.executable)) in [Path(os.path.realpath(path)) for path in found]

    def judge(path: Path) -> Any:
        done = subprocess.run(interpreters.command(path), capture_output=True, text=True, check=False)
        return interpreters.answer(path, done.returncode, done.stdout)

    good = judge(Path(sys.executable))
    assert (good.fault, good.version) == ("", sys.version_info[:3])
    assert not good.path.is_symlink(), "a link may lead elsewhere after an upgrade"
    assert not good.path.is_relative_to(Path(sys.prefix)), "a virtual environment is no base for another one"
    faults = [
        judge(stub),
        judge(script("a", """echo 'probe [[3, 10, 4], "/x", [], 64]'""")),
        judge(script("b", """echo 'probe [[3, 12, 4], "/x", ["ensurepip"], 64]'""")),
        judge(script("c", """echo 'probe [[3, 12, 4], "/x", [], 32]'""")),
    ]
    words = interpreters.complaint(faults)
    for word in ("does not start (exit status 9)", "it is Python 3.10", "it lacks ensurepip", "32 bits"):
        assert word in words


# What pip says -------------------------------------------------------------------------------------------------------


def test_progress_follows_pip() -> None:
    progress = pip_words.Progress()
    progress.hear(["Looking in links: x", "Collecting torch==2.13.0+cpu"])
    assert (progress.package, progress.expected) == ("torch", 0.0)
    progress.hear(["  Downloading https://example.invalid/a/torch-2.13.0%2Bcpu-cp311-linux.whl (190.3 MB)"])
    assert (progress.package, progress.expected) == ("torch", 190.3e6)
    progress.hear(["Collecting scikit_image", "  Downloading scikit_image-0.26.0-x-y-z.whl.metadata (15 kB)"])
    assert (progress.package, progress.expected) == ("scikit-image", 0.0)
    progress.hear(["Processing /a folder/Jinja2-3.1.6-py3-none-any.whl", "  File was already downloaded /x"])
    assert progress.package == "jinja2"
    progress.hear(["Installing collected packages: a, b-c"])
    assert progress.order == ["a", "b-c"]
    assert progress.seen == {"torch", "scikit-image", "jinja2"}


@pytest.mark.parametrize(
    ("output", "code", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", 1, "is full"),
        ("OSError: [WinError 112] There is not enough space on the disk", 1, "is full"),
        ("WARNING: Retrying after ProxyError('Cannot connect to proxy.')\nERROR: No matching distribution", 1, "proxy"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", 1, "not trusted"),
        ("NameResolutionError: getaddrinfo failed\nERROR: No matching distribution found for a", 1, "no connection"),
        ("ERROR: HTTP error 403 while getting x", 1, "denied access"),
        ("[WinError 32] The process cannot access the file", 1, "in use by another program"),
        ("[WinError 5] Access is denied: 'C:\\\\x'", 1, "Nothing can be written"),
        ("HINT: This error might have occurred since this system does not have Windows Long Path support", 1, "longer"),
        ("ERROR: Wheel 'a' located at /x/a.whl is invalid.", 1, "damaged"),
        ("ERROR: No matching distribution found for igl==2", 1, "no wheel of igl==2 for Python 9"),
        ("ImportError: DLL load failed while importing _C: blocked", 1, "DLL load failed while importing _C"),
        ("Collecting torch", -9, "was killed"),
        ("MemoryError", 1, "Memory ran out"),
        ("something new\nERROR: nobody knows", 3, "(exit status 3): nobody knows"),
        ("", 1, "it said nothing"),
    ],
)
def test_failures_are_explained(output: str, code: int, sentence: str) -> None:
    error = pip_words.explain(output, code, pip_words.Setting(Path("/engine"), "Python 9"))
    assert sentence in error.message
    assert error.remedy.endswith(".")
    assert error.details == output


# What is on the disk -------------------------------------------------------------------------------------------------


def _facts(base: Path, made: float = 1.0) -> Any:
    return environment.Facts(digest="d", build="cpu", torch="1", python="3.11.7", base=str(base), made=made)


def _environment(folder: Path, base: Path, made: float = 1.0) -> Path:
    python = environment.interpreter(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to(base)
    environment.write(folder, _facts(base, made))
    return folder


def test_only_whole_environments_count(tmp_path: Path) -> None:
    root, base = tmp_path / "engine", tmp_path / "python"
    base.touch()
    assert environment.find(root) is None
    (root / "cpu-1" / "bin").mkdir(parents=True)
    assert environment.find(root) is None
    for text in ("", "{", "[]", "{}", '{"digest": "d"}'):
        (root / "cpu-1" / environment.MARKER).write_text(text)
        assert environment.find(root) is None, text
    first = _environment(root / "cpu-2", base, 5.0)
    second = _environment(root / "cpu-3", base, 3.0)
    assert environment.find(root).folder == first, "the latest counts"
    assert environment.find(root).fault == ""
    assert [path.name for path in environment.leftovers(root)] == ["cpu-1", "cpu-3"]
    assert environment.unused(root, "cpu-2") == root / "cpu-2-2", "a whole one is not overwritten"
    assert environment.unused(root, "cpu-1") == root / "cpu-1"
    environment.interpreter(first).unlink()
    assert environment.find(root).folder == second, "one that has its Python counts more"
    base.unlink()
    fault = environment.find(root).fault
    assert "which is gone" in fault
    assert str(base) in fault


def test_deleting_stays_inside(tmp_path: Path) -> None:
    root, precious = tmp_path / "engine", tmp_path / "precious"
    precious.mkdir()
    (precious / "work.blend").write_bytes(bytes(10))
    base = tmp_path / "python"
    base.touch()
    one = _environment(root / "cpu-1", base)
    (one / "linked").symlink_to(precious)
    (one / "lib64").symlink_to("lib")
    (one / "lib").mkdir()
    (one / "lib" / "big").write_bytes(bytes(1000))
    (root / "elsewhere").symlink_to(precious)
    for path in (precious, tmp_path, root, root / "cpu-1" / "lib", root / ".." / "precious"):
        with pytest.raises(EngineError, match="not a part of the engine"):
            list(environment.delete(root, [path]))
    (one / environment.MARKER).unlink()
    assert environment.total(root) >= 1000
    *_, freed = environment.delete(root, list(root.iterdir()))
    assert 1000 <= freed < 2000
    assert list(root.iterdir()) == []
    assert (precious / "work.blend").read_bytes() == bytes(10)
    assert base.exists()


def test_half_deleted_is_not_whole(tmp_path: Path) -> None:
    root, base = tmp_path / "engine", tmp_path / "python"
    base.touch()
    one = _environment(root / "cpu-1", base)
    for number in range(200):
        (one / f"{number}.py").touch()
    steps = environment.delete(root, [one])
    next(steps)
    assert any(root.iterdir())
    assert environment.find(root) is None
    steps.close()
    list(environment.delete(root, environment.leftovers(root)))
    assert not any(root.iterdir())


def test_wheels_are_complete_or_not(tmp_path: Path) -> None:
    path = stand_ins.wheel(tmp_path, "alpha", "1.0", filling=5000)
    assert downloads.complete(path)
    data = path.read_bytes()
    for length in (0, 10, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert not downloads.complete(path), length


# Installations -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_installs_from_a_folder(plan: Any) -> None:
    one = _run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    made = environment.find(plan.root)
    assert made == one.made
    assert (made.facts.torch, made.facts.build, made.facts.device) == ("1.0+cpu", "cpu", "")
    assert made.facts.packages["alpha"] == "1.0"
    assert made.facts.size > 1000
    assert "There was no wheel of gamma" in " ".join(made.facts.notes)
    assert made.fault == ""
    done = subprocess.run([made.python, "-c", "import alpha, torch"], check=False)
    assert done.returncode == 0
    assert sorted(path.name for path in plan.root.iterdir()) == [plan.key, environment.LOG], "nothing is left over"
    assert "Successfully installed" in environment.log_tail(plan.root)
    # Another one beside it; the old one serves until the new one is whole.
    again = installation.Installation(plan)
    while again.text != "Installing: 0 of 3 packages" and not again.ended:
        time.sleep(again.poll())
        assert environment.find(plan.root) == made
    again.cancel()
    assert environment.find(plan.root) == made


def test_says_what_a_folder_lacks(plan: Any, folder: Path) -> None:
    (folder / "alpha-1.0-py3-none-any.whl").unlink()
    stand_ins.wheel(folder, "alpha", "0.9")
    next(folder.glob("torch-*")).unlink()
    one = _fails(plan, "The folder lacks torch 1.0, alpha 1.0 (it has 0.9).", str(folder))
    assert not (plan.root / plan.key).exists(), "it was said before anything began"
    assert "-m pip" not in environment.log_tail(plan.root)
    _fails(replace(plan, folder=folder / "nowhere"), "cannot be read", "Choose a folder")
    failure = environment.failure(plan.root)
    assert one.error.message != failure.message
    assert "cannot be read" in failure.message


@pytest.mark.slow
def test_wheel_for_another_python(plan: Any, folder: Path) -> None:
    next(folder.glob("alpha-*")).unlink()
    stand_ins.wheel(folder, "alpha", "1.0", tag="cp27-cp27m-win32")
    _fails(plan, "no wheel of alpha==1.0 that fits Python 3.", f"Add it to {folder}")


@pytest.mark.slow
def test_another_python_is_tried(plan: Any, folder: Path, python: Path, tmp_path: Path) -> None:
    """A package without a wheel for the first Python, with one for the second."""
    (tmp_path / "newer").write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*) echo \'probe [[3, 99, 0], "{tmp_path / "newer"}", [], 64]\';;'
        f'*) {python} "$@"; mkdir -p "$6/bin"; rm -f "$6/bin/python"; '
        "printf '#!/bin/sh\\necho No matching distribution found for torch; exit 1\\n' > \"$6/bin/python\"; "
        'chmod +x "$6/bin/python";; esac\n'
    )
    (tmp_path / "newer").chmod(0o755)
    one = _run(replace(plan, bases=(tmp_path / "newer", python)))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.base == str(python)
    assert "No matching distribution found for torch" in (plan.root / environment.LOG).read_text()


def test_no_python_will_do(plan: Any, tmp_path: Path) -> None:
    _fails(replace(plan, bases=(Path("/bin/false"),)), "/bin/false: it does not start", "Install Python 3.11 or later")


@pytest.mark.slow
def test_changed_and_damaged_wheels(plan: Any, folder: Path) -> None:
    good = (folder / "beta-2.0-py3-none-any.whl").read_bytes()
    stand_ins.wheel(folder, "beta", "2.0", {"beta/__init__.py": "import os  # and something evil"})
    _fails(plan, "not the one that was published", "do not use that source")
    (folder / "beta-2.0-py3-none-any.whl").write_bytes(good)
    alpha = folder / "alpha-1.0-py3-none-any.whl"
    alpha.write_bytes(alpha.read_bytes()[:-30])
    _fails(plan, "damaged", "replace the file")


@pytest.mark.slow
def test_engine_that_does_not_run(plan: Any, folder: Path) -> None:
    stand_ins.wheel(
        folder,
        "alpha",
        "1.0",
        {"alpha/__init__.py": "raise ImportError('libalpha.so: cannot open shared object file')"},
    )
    _fails(plan, "libalpha.so", "virus scanner")
    assert (plan.root / plan.key).is_dir()
    stand_ins.wheel(folder, "alpha", "1.0")
    assert _run(plan).error is None, "what was left half made is in the way"


@pytest.mark.slow
def test_too_long_names(plan: Any, folder: Path) -> None:
    stand_ins.wheel(folder, "alpha", "1.0", {f"alpha/{'a' * 300}.py": ""})
    _fails(plan, "longer than this system allows", "shorter path")


def test_windows_paths(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_long_paths", lambda: False)
    _fails(replace(plan, root=plan.root / ("x" * 120)), "is too long for the files", "long paths")


def test_too_little_room(plan: Any) -> None:
    _fails(replace(plan, room=1e18), "GB free; the engine needs about", "Make room")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("A small disk can be made by root only.")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.slow
def test_full_disk(plan: Any, folder: Path, small_disk: Path) -> None:
    stand_ins.wheel(folder, "alpha", "1.0", filling=6_000_000)
    _fails(replace(plan, root=small_disk / "engine"), "is full", "Make room on it")


def test_read_only_folder(plan: Any, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    one = installation.Installation(replace(plan, root=small_disk / "engine"))
    with pytest.raises(EngineError, match="Nothing can be written"):
        one.wait()


# Downloads -----------------------------------------------------------------------------------------------------------


class _Index(http.server.SimpleHTTPRequestHandler):
    """Serves wheels as an index does, and keeps account; one file can be made to stop in the middle."""

    served: list[str]
    stuck: str

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.served.append(name)
        if not self.stuck or not name.startswith(self.stuck):
            super().do_GET()
            return
        data = Path(self.directory, self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        time.sleep(60)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An index on this machine, which pip is configured for."""
    simple = tmp_path / "index"
    for path in folder.iterdir():
        project = simple / path.name.partition("-")[0]
        project.mkdir(parents=True, exist_ok=True)
        (project / path.name).write_bytes(path.read_bytes())
    handler = type("Index", (_Index,), {"served": [], "stuck": ""})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(simple)))
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}")
    handler.folder = simple
    yield handler
    server.shutdown()
    server.server_close()


def _until(one: Any, condition: Any) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert not one.ended, (one.error, one.error and one.error.details)
        assert time.monotonic() < end
        time.sleep(min(one.poll(), 0.05))


@pytest.mark.slow
def test_downloads(plan: Any, index: Any) -> None:
    one = _run(replace(plan, folder=None))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0+cpu"
    wheels = [name for name in index.served if name.endswith(".whl")]
    assert len(wheels) == len(set(wheels)) == 3, "each is fetched once"
    assert not (plan.root / environment.WHEELS).exists(), "what is installed is not kept twice"


@pytest.mark.slow
def test_plain_build_where_there_is_no_other(plan: Any, index: Any) -> None:
    choice = packages.choose("cuda", driver.Driver("560.1", (12, 6)), "1.0", "linux")
    choice = replace(choice, versions=choice.versions[-2:])
    one = _run(replace(plan, folder=None, choice=choice))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0+cpu"
    assert "has PyTorch for the processor only: name the index" in " ".join(one.made.facts.notes), "never silently"
    (index.folder / "torch" / "torch-1.0+cpu-py3-none-any.whl").unlink()
    stand_ins.torch(index.folder / "torch", "1.0")
    one = _run(replace(plan, folder=None))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0"
    assert "only the large build" in " ".join(one.made.facts.notes) or not packages.is_large("1.0")


@pytest.mark.slow
def test_further_index(plan: Any, index: Any, tmp_path: Path) -> None:
    """The build for a graphics card from an address of its own, with what only that build needs."""
    other = tmp_path / "other"
    path = stand_ins.torch(other / "torch", "1.0+cu126", ["nvidia-stand-in==7.0"])
    (other / "torch" / "index.html").write_text(f'<!DOCTYPE html><a href="{path.as_uri()}">{path.name}</a>')
    stand_ins.wheel(index.folder / "nvidia-stand-in", "nvidia-stand-in", "7.0")
    choice = packages.choose("cuda", driver.Driver("560.1", (12, 6)), "1.0", "linux")
    one = _run(replace(plan, folder=None, choice=choice, index=other.as_uri()))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0+cu126"
    assert one.made.facts.packages["nvidia-stand-in"] == "7.0"
    assert "The graphics card cannot be used, so the processor computes" in " ".join(one.made.facts.notes)
    assert "for the processor only" not in " ".join(one.made.facts.notes)


@pytest.mark.slow
def test_cancelled_and_resumed(plan: Any, index: Any) -> None:
    stand_ins.wheel(index.folder / "alpha", "alpha", "1.0", requires=["beta"], filling=3_000_000)
    index.stuck = "alpha-"
    plan = replace(plan, folder=None)
    one = installation.Installation(plan)
    _until(one, lambda: "alpha: 1." in one.text)
    process = one._child.pid
    assert runs.identity(process)
    one.cancel()
    assert one.error.kind == "cancelled"
    assert not runs.identity(process)
    assert environment.find(plan.root) is None
    assert environment.failure(plan.root) is None, "what was asked for is no failure"
    kept = sorted(path.name for path in (plan.root / environment.WHEELS).iterdir())
    assert kept == ["beta-2.0-py3-none-any.whl", "torch-1.0+cpu-py3-none-any.whl"]
    index.stuck = ""
    index.served.clear()
    again = _run(plan)
    assert again.error is None, (again.error, again.error and again.error.details)
    assert [name for name in index.served if name.endswith(".whl")] == ["alpha-1.0-py3-none-any.whl"]


@pytest.mark.slow
def test_connection_that_breaks_off(plan: Any, index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.wheel(index.folder / "alpha", "alpha", "1.0", requires=["beta"], filling=3_000_000)
    index.stuck = "alpha-"
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "2")
    plan = replace(plan, folder=None)
    _fails(plan, "there is no connection, or it broke off", "what was downloaded is kept")
    assert (plan.root / environment.WHEELS / "torch-1.0+cpu-py3-none-any.whl").is_file()
    assert not list((plan.root / environment.WHEELS).glob("alpha*"))


@pytest.mark.slow
def test_no_network_and_no_proxy(plan: Any, index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(plan, folder=None)
    # Without a second attempt, pip keeps to itself that there was a first one.
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1")
    _fails(plan, "The packages could not be downloaded", "install from a folder of wheels")
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.invalid")
    _fails(plan, "proxy", "Check the proxy")


# Processes that end --------------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from tests.test_environment import installation, packages, plans
contents = packages.Contents("1.0", (packages.Package("alpha", "1.0"), packages.Package("beta", "2.0")), (), ("torch",))
choice = packages.choose("cpu", None, "1.0", "linux")
plan = plans.Plan(Path({engine!r}), choice, contents, Path({folder!r}), bases=(Path({python!r}),), room=0)
one = installation.Installation(plan)
import time
while not one.ended:
    seconds = one.poll()
    print(one.text, one._child and one._child.pid, flush=True)
    time.sleep(min(seconds, 0.05))
"""


@pytest.mark.slow
def test_killed_in_the_middle(plan: Any, folder: Path, python: Path) -> None:
    """Blender and its child die: what is left looks unfinished, blocks nobody, and the child's work is over."""
    values = {"root": str(ROOT), "engine": str(plan.root), "folder": str(folder), "python": str(python)}
    blender = subprocess.Popen([sys.executable, "-c", CHILD.format(**values)], stdout=subprocess.PIPE, text=True)
    assert blender.stdout
    pid = 0
    for line in blender.stdout:
        if line.startswith("Installing"):
            pid = int(line.split()[-1])
            break
    else:
        raise AssertionError("it ended by itself")
    # While it runs, nobody else begins.
    other = installation.Installation(plan)
    with pytest.raises(EngineError, match="Another Blender is installing"):
        other.wait()
    assert blender.poll() is None, "the first one goes on"
    os.killpg(pid, signal.SIGSTOP)
    blender.kill()
    blender.wait()
    blender.stdout.close()
    assert environment.find(plan.root) is None
    assert (plan.root / environment.LOCK).exists()
    one = _run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    assert not runs.identity(pid), "what the dead Blender had started still runs"


@pytest.mark.slow
def test_killed_pip(plan: Any) -> None:
    one = installation.Installation(plan)
    _until(one, lambda: one.text.startswith("Installing") and one._child)
    os.killpg(one._child.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="The installation was killed"):
        one.wait()
    assert environment.find(plan.root) is None
    assert "was killed" in environment.failure(plan.root).message


def test_children_of_children_end(tmp_path: Path) -> None:
    child = children.Child(["sh", "-c", "sleep 50 & echo $!; wait"], dict(os.environ), tmp_path / "log", tmp_path)
    end = time.monotonic() + 10
    lines: list[str] = []
    while not lines:
        lines = child.lines()
        assert time.monotonic() < end
        time.sleep(0.02)
    assert runs.identity(int(lines[0]))
    child.kill()
    while runs.identity(int(lines[0])):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert child.output().strip() == lines[0]


# The real thing ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_engine(tmp_path: Path) -> None:
    named = os.environ.get(WHEELS, "")
    if not named:
        pytest.skip(f"{WHEELS} names no folder with wheels of everything that the engine needs.")
    folder = Path(named)
    lacks = packages.missing(packages.CONTENTS, sys.version_info[:3], packages.wheels(folder))
    if lacks:
        pytest.skip(f"The folder {folder} lacks {', '.join(lacks)}.")
    plan = plans.Plan(tmp_path / "engine", packages.choose("cpu", None), packages.CONTENTS, folder)
    one = _run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    code = "import gen3d_core.worker, torch, igl, skimage, embreex; print(torch.ones(2).sum())"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [one.made.python, "-c", code], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
