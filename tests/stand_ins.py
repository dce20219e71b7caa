"""Small real wheels, and a Python that makes environments in no time: for tests of the engine's installer."""

import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

#: As much of PyTorch as the trial of an environment asks for.
TORCH = """
__version__ = "%s"
class Values(list):
    def __mul__(self, other):
        return Values(a * b for a, b in zip(self, other, strict=True))
    def sum(self):
        return sum(self)
def arange(end, device):
    return Values(float(i) for i in range(int(end)))
class cuda:
    is_available = staticmethod(lambda: False)
"""

#: A Python whose environments use the pip of a folder, instead of unpacking one each time.
QUICK = """#!{python}
import os, pathlib, subprocess, sys
arguments = sys.argv[1:]
if "venv" in arguments:
    folder = pathlib.Path(arguments[-1])
    done = subprocess.run([{python!r}, "-m", "venv", "--without-pip", folder])
    if done.returncode == 0:
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "pip.pth").write_text({pip!r})
    sys.exit(done.returncode)
done = subprocess.run([{python!r}, *arguments], stdout=subprocess.PIPE, text=True)
print(done.stdout.replace(os.path.realpath(sys._base_executable), {itself!r}), end="")
sys.exit(done.returncode)
"""


def wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    filling: int = 0,
) -> Path:
    """Writes a wheel and returns its path.

    Args:
        folder: where.
        name: of the package.
        version: of the package.
        files: texts by their paths; a module of the package's name where it is None.
        requires: other packages.
        tag: which Pythons it is for.
        filling: bytes of a further file, which no compression makes smaller.
    """
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {other}\n" for other in requires)
    contents = {path: text.encode() for path, text in (files or {f"{module}/__init__.py": ""}).items()}
    if filling:
        contents[f"{module}/filling.bin"] = bytes(filling)
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as zipped:
        for path, data in contents.items():
            zipped.writestr(zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0)), data)
    path = folder / f"{module}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def torch(folder: Path, version: str, requires: Sequence[str] = (), filling: int = 0) -> Path:
    """A wheel that passes for PyTorch."""
    return wheel(folder, "torch", version, {"torch/__init__.py": TORCH % version}, requires, filling=filling)


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def quick_python(folder: Path) -> Path:
    """A Python that makes environments quickly; its own path is that of a script."""
    import pip

    (folder / "pip-only").mkdir(parents=True)
    (folder / "pip-only" / "pip").symlink_to(Path(pip.__file__).parent)
    path = folder / "python3-quick"
    path.write_text(QUICK.format(python=sys.executable, pip=str(folder / "pip-only"), itself=str(path)))
    path.chmod(0o755)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
