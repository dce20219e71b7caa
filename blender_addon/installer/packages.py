"""What the engine's own environment is made of: exact versions, and for PyTorch the build that fits the machine.

These are the versions that the engine is developed and tested with. Wheels that are one and the same file on every
machine have their SHA-256 here; of the others, the index that delivers them says what they must be.
"""

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine import PACKAGES
from .driver import AUTOMATIC, CPU, CUDA, Driver

TORCH = "2.13.0"
#: The builds of PyTorch for a major version of CUDA, the preferred one first.
CUDA_BUILDS = {13: ("cu132", "cu130"), 12: ("cu129", "cu128", "cu126")}
#: What an artist is told before anything begins, in bytes: to fetch, and then on the disk.
SIZES = {CPU: (350e6, 1400e6), CUDA: (3300e6, 7500e6)}


@dataclass(frozen=True)
class Package:
    """One package in one version.

    Args:
        name: as pip knows it.
        version: exactly.
        sha256: of its wheel, where that is the same everywhere; else empty.
        marker: for which Pythons, as in a requirements file; empty for all.
    """

    name: str
    version: str
    sha256: str = ""
    marker: str = ""

    def line(self, *, hashed: bool) -> str:
        """Of a requirements file."""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}=={self.version}{marker}" + (f" --hash=sha256:{self.sha256}" if hashed else "")

    def fits(self, python: tuple[int, ...]) -> bool:
        """Whether a Python of some version wants it; markers here compare ``python_version``, and nothing else."""
        if not self.marker:
            return True
        found = re.fullmatch(r"python_version (<|>=) '3\.(\d+)'", self.marker)
        assert found, self.marker
        bound = (3, int(found[2]))
        return python[:2] < bound if found[1] == "<" else python[:2] >= bound


@dataclass(frozen=True)
class Contents:
    """What an environment is made of, and how it is tried.

    Args:
        torch: version of PyTorch, without the build.
        packages: all others, with what they need in turn.
        extras: what the engine can do without, and what some Pythons have no wheel of.
        modules: that must be importable in the end.
    """

    torch: str
    packages: tuple[Package, ...]
    extras: tuple[Package, ...]
    modules: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Tells this contents from every other one."""
        lines = [package.line(hashed=True) for package in (*self.packages, *self.extras)]
        return hashlib.sha256("\n".join([self.torch, *lines, *self.modules]).encode()).hexdigest()[:8]

    @property
    def hashed(self) -> tuple[Package, ...]:
        """Those whose wheel is known to the byte."""
        return tuple(package for package in self.packages if package.sha256)


@dataclass(frozen=True)
class Choice:
    """Which PyTorch is installed, and why.

    Args:
        build: ``cpu`` or ``cuda``.
        versions: what to ask for, the best first: not every index has every build.
        reason: a sentence for the artist.
    """

    build: str
    versions: tuple[str, ...]
    reason: str


def choose(build: str, driver: Driver | None, torch: str = TORCH, platform: str = sys.platform) -> Choice:
    """Chooses the build of PyTorch.

    Args:
        build: ``auto``, ``cpu`` or ``cuda``.
        driver: of an NVIDIA graphics card; None where there is none.
        torch: its version.
        platform: as :data:`sys.platform`.
    """
    if platform == "darwin":
        return Choice(CPU, (torch,), "The build for Apple computers, which also uses their graphics processor")
    major = driver.cuda[0] if driver else 0
    usable = major >= min(CUDA_BUILDS)
    if build == CUDA or (build == AUTOMATIC and usable):
        known = CUDA_BUILDS.get(min(major, max(CUDA_BUILDS)), CUDA_BUILDS[min(CUDA_BUILDS)])
        if driver and usable:
            reason = f"{driver}: the build for CUDA"
        elif driver:
            reason = f"The build for CUDA, as chosen; {driver} is too old for it: renew the driver"
        else:
            reason = "The build for CUDA, as chosen; no NVIDIA driver was found here"
        return Choice(CUDA, (*(f"{torch}+{tag}" for tag in known), torch), reason)
    if build == CPU:
        reason = "The build for the processor, as chosen"
    elif driver:
        reason = f"{driver} is too old for PyTorch: the build for the processor"
    else:
        reason = "No NVIDIA driver was found: the build for the processor"
    return Choice(CPU, (f"{torch}+cpu", torch), reason)


def is_large(version: str, platform: str = sys.platform) -> bool:
    """Whether a version of PyTorch brings CUDA without saying so: on Linux, the one that names no build does."""
    return platform.startswith("linux") and "+" not in version


@dataclass(frozen=True)
class Wheel:
    """What the name of a wheel's file says.

    Args:
        name: of the package, normalised.
        version: of it.
    """

    name: str
    version: str


def wheels(folder: Path) -> list[Wheel]:
    """The wheels in a folder, by their names.

    Raises:
        OSError: it cannot be read.
    """
    parts = [path.name.split("-") for path in sorted(folder.iterdir()) if path.suffix == ".whl"]
    return [Wheel(normal(words[0]), words[1]) for words in parts if len(words) >= 5]


def normal(name: str) -> str:
    """A package's name in the one spelling of the many that are all the same to pip."""
    return re.sub(r"[-_.]+", "-", name).lower()


def choose_among(choice: Choice, torch: str, found: Sequence[Wheel]) -> Choice:
    """The same choice, of what a folder holds: what was asked for where it is there, else another build of it."""
    there = sorted({w.version for w in found if w.name == "torch" and w.version.partition("+")[0] == torch})
    best = [version for version in choice.versions if version in there]
    return Choice(choice.build, (*best, *(version for version in there if version not in best)), choice.reason)


def missing(contents: Contents, python: tuple[int, ...], found: Sequence[Wheel]) -> list[str]:
    """What a folder of wheels lacks, each with the version that it has instead."""
    lacks: list[str] = []
    wanted = [Package("torch", contents.torch), *(package for package in contents.packages if package.fits(python))]
    for package in wanted:
        name = normal(package.name)
        others = sorted({wheel.version for wheel in found if wheel.name == name})
        if not any(package.version in (other, other.partition("+")[0]) for other in others):
            lacks.append(f"{package.name} {package.version}" + (f" (it has {', '.join(others)})" if others else ""))
    return lacks


def _table(text: str) -> tuple[Package, ...]:
    """Packages from lines of name, version and SHA-256."""
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(Package(row[0], row[1], row[2] if len(row) > 2 else "") for row in rows)


CONTENTS = Contents(
    torch=TORCH,
    packages=(
        *_table("""
absl-py 2.5.1 721200f2f0e9960f2ca9dc3a2a706b201f5f75d812c158f059cbbe29eeafbdb8
accelerate 1.15.0 97eacca0b73e45cb867dbf8c5d5d4dc32219544300e0c8992c7334dc2ef33cec
anyio 4.16.0 c66ae634e0b8228396b801741beb3294326d4b6102f7bba4041c0dfb58c29026
certifi 2026.10.18 73191c47aaa79da394e8fee2dbc2ec827432cab56311122c9e47abf79e390f62
click 8.5.1 8bb5376d2006950386f8c6427613334a2acadc5f559cb80e638d00b4df957e37
filelock 4.2.11 020e229e4bb9d410fc799c07ddf45fa217cba970278f40b30751d94f309b69e2
fsspec 2026.9.0 8dd6e646e99ea382bd85f97a45e6b526a442d79423a7dc673f1e2756d05fcb5f
h11 0.16.0 63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86
httpcore2 2.16.2 16051ae2a42f776007543f32de9349a317b23d2cbb4e1456b4bac0e88b87419a
httpx2 2.16.2 f05c13aade4c45dbf1c9060647a1058f0acad62398fad96e741269edb33d46f5
huggingface_hub 2.4.0 42ecfd93ede47bdd333daebbf66a32d7bfe2e18752754fe4d2d4f98a0179d801
idna 3.20 ab7ae7122974553370f0bdb919e1a960b2cd1bc1ef0276416d896db81c14582c
ImageIO 2.38.1 36d23eb7423d2fb63f637098758edb3d2df3687f7125e0a5ce8596572022dcf9
Jinja2 3.1.6 85ece4451f492d0c13c5dd7c13a64681a86afae63a5f347908daf103ce6d2f67
lazy-loader 0.6 77253be3391b06124a0e16105bd663b6c54470af1a9ca8e1cf026f38d58ed056
Markdown 3.11.3 e1a31a112232504d753e5c01bb8c2de90d3f0ba986b063e10770cf7695b09e73
mpmath 1.3.0 a0b2b9fe80bbcd81a6647ff13108738cfb482d481d826cc0e02f5b35e5c88d2c
networkx 3.6.1 d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762
packaging 26.3 d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c
setuptools 84.2.1 ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2
sympy 1.14.0 e091cc3e99d2141a0ba2847328f5479b05d94a6635cb96148ccb3f34671bd8f5
tensorboard 2.21.0 7279316dcb6bd5bc391d623dea841531299cde1887310e8133bc34a996d32255
tifffile 2026.3.3 e8be15c94273113d31ecb7aa3a39822189dd11c4967e3cc88c178f1ad2fd1170
tqdm 4.70.1 c293e525e6fef9c20e8728fd4612df02a0aa31bb5fe91ecd93e123b1b7bffa73
trimesh 5.2.0 04db2c7ec62afdd7763fb04c82bb5f257ddd984993a19ee83697f475fc58fd29
truststore 0.10.5 9aaaedaefaf06d8b206278cf8b5012bc897f485a874503501e12d776df78951c
typing_extensions 4.16.0 481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
Werkzeug 3.1.9 6392e50c78460ba618e5b21f08a71f59c99ce99cdc6cf6e3dd7e6ccca8754fab
grpcio 1.85.1
hf-xet 1.8.0
libigl 2.6.3
MarkupSafe 3.0.4
pillow 13.0.0
protobuf 7.36.2
psutil 7.2.2
PyYAML 6.0.3
safetensors 0.8.0
scikit-image 0.26.0
scipy 1.17.1
tensorboard-data-server 0.7.2
"""),
        Package("numpy", "1.26.4", marker="python_version < '3.12'"),
        Package("numpy", "2.5.5", marker="python_version >= '3.12'"),
    ),
    # The ray caster of a training's pictures.
    extras=_table("embreex 4.4.0.post1"),
    modules=(*PACKAGES, "PIL", "accelerate", "tensorboard", "tqdm"),
)
