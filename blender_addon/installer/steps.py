"""What an installation does, in its order: a Python is found, an environment made, filled, tried, and declared whole.

It is told by generators: each step is a process that :mod:`.installation` starts and looks at, and never waits for.
"""

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from ...gen3d_core.errors import EngineError
from . import environment, interpreters, packages, pip_words, trying
from .downloads import Downloads
from .driver import CPU, CUDA
from .environment import Facts
from .interpreters import Interpreter
from .packages import Package
from .plans import Plan

PROBE_SECONDS = 30.0
TRY_SECONDS = 900.0
#: Of the whole, in the end of each part.
MADE, DOWNLOADED, INSTALLED = 0.06, 0.72, 0.94


class NotToBeHad(EngineError):
    """There is no wheel for this Python; for another one, there may be."""


@dataclass(frozen=True)
class Command:
    """A process to be started.

    Args:
        words: program and arguments.
        variables: its environment.
        look: called while it runs, with the lines that it wrote since.
        seconds: after which it is ended.
    """

    words: Sequence[str]
    variables: Mapping[str, str]
    look: Callable[[list[str]], None] = lambda lines: None
    seconds: float = inf


@dataclass(frozen=True)
class Done:
    """A process that has ended: its exit status, and all that it wrote."""

    code: int
    output: str


#: Gives commands, or None where there is more to do at once, and takes what became of them.
Steps = Generator[Command | None, Done, None]


class Story:
    """The steps, and how far they are.

    Args:
        plan: what is to be done.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.fraction, self.text = 0.0, "Looking for a Python"
        #: The environment's folder.
        self.target = environment.unused(plan.root, plan.key)
        self.downloads = Downloads(plan.root / environment.WHEELS, plan.root / environment.TEMPORARY)
        self._python = "this Python"
        self._lacks: list[str] = []
        self._torch_installed = ""
        #: Whose size is downloaded: where there is no other build, the large one serves the processor, too.
        self._size = plan.choice.build

    def steps(self) -> Steps:
        """All of it, from the first look to the marker."""
        root, plan = self.plan.root, self.plan
        (root / environment.FAILED).unlink(missing_ok=True)
        self.downloads.prepare()
        plan.check_room(self.downloads.complete_bytes())
        bases = yield from self._find_bases()
        first: NotToBeHad | None = None
        for base in bases:
            try:
                yield from self._make(base)
                if plan.folder:
                    yield from self._install(base, plan.folder)
                else:
                    yield from self._download(base)
                    yield from self._install(base, self.downloads.wheels)
                facts = yield from self._try_out(base)
                break
            except NotToBeHad as error:
                first = first or error
        else:
            assert first
            raise first
        self._say(1.0, "Done")
        environment.write(self.target, facts)
        # Nothing depends on these any more.
        yield from self._delete([self.downloads.wheels, self.downloads.temporary])

    def _find_bases(self) -> Generator[Command | None, Done, list[Interpreter]]:
        """Asks candidates; gives one of each version that will do, the preferred one first."""
        good: dict[tuple[int, ...], Interpreter] = {}
        asked: list[Interpreter] = []
        for path in self.plan.bases or interpreters.candidates():
            if path.is_relative_to(self.plan.root):
                continue
            done = yield Command(interpreters.command(path), variables(self.downloads.temporary), seconds=PROBE_SECONDS)
            found = interpreters.answer(path, done.code, done.output)
            asked.append(found)
            if not found.fault:
                good.setdefault(found.version[:2], found)
        if not good:
            raise EngineError(
                f"No Python was found that can make an environment ({interpreters.complaint(asked)}).",
                "Install Python 3.11 or later with its venv module where a terminal finds it, then install again; "
                "or name a Python of your own in the preferences.",
            )
        return list(good.values())

    def _make(self, base: Interpreter) -> Steps:
        """Makes an empty environment, in place of one that was left half made."""
        self._python = f"Python {'.'.join(map(str, base.version))}"
        self.plan.check_folder(base)
        self._say(0.02, f"Making an environment with {self._python}")
        if self.target.exists():
            yield from self._delete([self.target])
        words = [str(base.path), "-I", "-X", "utf8", "-m", "venv", str(self.target)]
        yield from self._run(words, variables(self.downloads.temporary))
        self._say(MADE, "The environment is made")

    def _download(self, base: Interpreter) -> Steps:
        """Downloads PyTorch in the first build that there is, then everything else."""
        options = ["--dest", str(self.downloads.wheels), "--no-cache-dir"]
        options += ["--extra-index-url", self.plan.index] if self.plan.index else []
        settings = variables(self.downloads.temporary)
        progress = pip_words.Progress()
        expected = len(self._wanted(base)) + 1

        def look(lines: list[str]) -> None:
            progress.hear(lines)
            self._look_at_download(progress, expected)

        for number, version in enumerate(self.plan.choice.versions):
            last = number == len(self.plan.choice.versions) - 1
            words = self._pip("download", *options, "--no-deps", f"torch=={version}")
            done = yield Command(words, settings, look)
            if done.code == 0:
                break
            if last or not pip_words.not_to_be_had(done.output):
                raise self.explained(done)
            if packages.is_large(self.plan.choice.versions[number + 1]):
                self._size = CUDA
                self.plan.check_room(self.downloads.complete_bytes(), CUDA)
        torch = self._torch(self.downloads.wheels)
        for lot in self._lots(base, torch):
            yield from self._run(self._pip("download", *options, *lot), settings, look)
        for extra in self._extras(base):
            words = self._pip("download", *options, "--no-deps", f"{extra.name}=={extra.version}")
            yield Command(words, settings, look)

    def _install(self, base: Interpreter, folder: Path) -> Steps:
        """Installs what is in a folder, and nothing from elsewhere."""
        begin = DOWNLOADED if folder == self.downloads.wheels else MADE
        options = ["--no-index", "--find-links", str(folder), "--no-cache-dir"]
        settings = variables(self.downloads.temporary, configured=False)
        expected, most = len(self._wanted(base)) + 1, 0

        def look(lines: list[str]) -> None:
            nonlocal most
            there = sum(not path.name.startswith("pip-") for path in _site(self.target).glob("*.dist-info"))
            most = max(most, min(there, expected))
            self._say(begin + (INSTALLED - begin) * most / expected, f"Installing: {most} of {expected} packages")

        self._torch_installed = self._torch(folder)
        for lot in self._lots(base, self._torch_installed):
            yield from self._run(self._pip("install", *options, *lot), settings, look)
        self._lacks = []
        there = {wheel.name for wheel in packages.wheels(folder)}
        for extra in self._extras(base):
            missing = packages.normal(extra.name) not in there
            if not missing:
                words = self._pip("install", *options, "--no-deps", f"{extra.name}=={extra.version}")
                done = yield Command(words, settings, look)
                missing = done.code != 0
            self._lacks += [extra.name] if missing else []

    def _try_out(self, base: Interpreter) -> Generator[Command | None, Done, Facts]:
        """Imports everything and computes a little; gives what the marker is to say."""
        self._say(INSTALLED, "Trying it out")
        contents, build = self.plan.contents, self.plan.choice.build
        words = trying.command(self.target, build, contents.modules)
        done = yield Command(words, variables(self.downloads.temporary), seconds=TRY_SECONDS)
        notes = [f"There was no wheel of {name}: pictures of trainings are left out" for name in self._lacks]
        if build == CPU and self._size == CUDA:
            notes.append("This source of packages has only the large build of PyTorch, which also computes here")
        if build == CUDA and self._torch_installed.endswith("+cpu"):
            notes.append(
                "This source of packages has PyTorch for the processor only: name the index of the build for CUDA in "
                "the preferences, and install again"
            )
        facts = trying.facts(done.output, contents.digest, build, base.path, notes)
        if done.code or facts is None:
            raise self.explained(done)
        return facts

    # Parts of it

    def _run(
        self,
        words: Sequence[str],
        settings: Mapping[str, str],
        look: Callable[[list[str]], None] = lambda lines: None,
    ) -> Steps:
        """A process that has to succeed."""
        done = yield Command(words, settings, look)
        if done.code:
            raise self.explained(done)

    def _delete(self, paths: Sequence[Path]) -> Steps:
        for _ in environment.delete(self.plan.root, [path for path in paths if path.exists()]):
            yield None

    def _pip(self, command: str, *arguments: str) -> list[str]:
        python = str(environment.interpreter(self.target))
        common = ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--no-color"]
        # Without a terminal its bar says nothing; the bytes are counted here.
        common += ["--progress-bar", "off"]
        return [python, "-I", "-u", "-X", "utf8", "-m", "pip", command, *common, *arguments]

    def _wanted(self, base: Interpreter) -> list[Package]:
        return [package for package in self.plan.contents.packages if package.fits(base.version)]

    def _extras(self, base: Interpreter) -> list[Package]:
        return [package for package in self.plan.contents.extras if package.fits(base.version)]

    def _torch(self, folder: Path) -> str:
        """The best of the asked for versions of PyTorch that a folder has."""
        contents = self.plan.contents
        found = packages.choose_among(self.plan.choice, contents.torch, packages.wheels(folder)).versions
        return found[0] if found else self.plan.choice.versions[-1]

    def _lots(self, base: Interpreter, torch: str) -> list[list[str]]:
        """Arguments for pip: first what is known to the byte, then everything with what it needs in turn."""
        folder, contents = self.downloads.temporary, self.plan.contents
        hashed = [package.line(hashed=True) for package in contents.hashed if package.fits(base.version)]
        everything = [f"torch=={torch}", *(package.line(hashed=False) for package in self._wanted(base))]
        lots = [(hashed, "hashed.txt", ["--no-deps", "--require-hashes"]), (everything, "everything.txt", [])]
        arguments: list[list[str]] = []
        for lines, name, options in lots:
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
            arguments += [[*options, "-r", str(folder / name)]] if lines else []
        return arguments

    def _look_at_download(self, progress: pip_words.Progress, expected: int) -> None:
        self.downloads.keep()
        partial = self.downloads.partial_bytes()
        total, _ = packages.SIZES[self._size]
        share = min((self.downloads.complete_bytes() + partial) / total, 1.0)
        if partial and progress.expected:
            done, whole = min(partial, progress.expected) / 1e6, progress.expected / 1e6
            text = f"Downloading {progress.package}: {done:.1f} of {whole:.1f} MB"
        else:
            text = f"Looking for {progress.package or 'packages'}"
        text += f" (package {min(self.downloads.count() + 1, expected)} of {expected})"
        self._say(MADE + (DOWNLOADED - MADE) * share, text)

    def explained(self, done: Done) -> EngineError:
        """Why a process failed."""
        setting = pip_words.Setting(self.plan.root, self._python, self.plan.folder)
        error = pip_words.explain(done.output, done.code, setting)
        if pip_words.recognise(done.output) in ("wheel", "hash"):
            self.downloads.forget(done.output)
        if done.code > 0 and pip_words.not_to_be_had(done.output):
            return NotToBeHad(error.message, error.remedy, error.details)
        return error

    def _say(self, fraction: float, text: str) -> None:
        """Progress never goes back."""
        self.fraction, self.text = max(self.fraction, fraction), text


def variables(temporary: Path, *, configured: bool = True) -> dict[str, str]:
    """Of the environment of a process.

    Args:
        temporary: its folder for temporary files.
        configured: whether pip's own configuration counts, which says where packages come from.
    """
    # Some send packages elsewhere than into the new environment.
    dropped = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_PYTHON", "PIP_QUIET")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PYTHON") and key not in dropped and (configured or not key.startswith("PIP_"))
    }
    if not configured:
        kept["PIP_CONFIG_FILE"] = os.devnull
    return kept | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)) | {"LC_ALL": "C", "NO_COLOR": "1"}


def _site(folder: Path) -> Path:
    """Where an environment has its packages."""
    return next((folder / "lib").glob("python*/site-packages"), folder / "Lib" / "site-packages")
