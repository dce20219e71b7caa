"""What pip says, understood: which package it is at, and in one sentence why it failed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...gen3d_core.errors import EngineError
from .packages import normal

UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}

COLLECTING = re.compile(r"^\s*Collecting ([A-Za-z0-9][\w.-]*)")
DOWNLOADING = re.compile(r"^\s*Downloading (?:\S*/)?([A-Za-z0-9][\w.]*)-\S+?\.whl \(([\d.]+) (bytes|kB|MB|GB)\)")
AT_HAND = re.compile(r"^\s*Processing (?:\S.*/)?([A-Za-z0-9][\w.]*)-[^/]+\.whl")
INSTALLING = re.compile(r"^Installing collected packages: (.+)$")


@dataclass
class Progress:
    """What pip is doing.

    Args:
        package: that it is at.
        expected: bytes of what it downloads; 0 while it downloads nothing.
        seen: packages that it came to.
        order: in which it installs.
    """

    package: str = ""
    expected: float = 0.0
    seen: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)

    def hear(self, lines: Sequence[str]) -> None:
        """Takes in lines of pip's output."""
        for line in lines:
            if found := DOWNLOADING.match(line):
                self._come_to(found[1])
                self.expected = float(found[2]) * UNITS[found[3]]
            elif found := COLLECTING.match(line) or AT_HAND.match(line):
                self._come_to(found[1])
            elif found := INSTALLING.match(line):
                self.order = [name.strip() for name in found[1].split(",")]

    def _come_to(self, name: str) -> None:
        self.package, self.expected = normal(name), 0.0
        self.seen.add(self.package)


@dataclass(frozen=True)
class Setting:
    """Where pip was at work, for its error messages.

    Args:
        root: where the engine is installed.
        python: for instance ``Python 3.11.7``.
        folder: of wheels; None where they come from an index.
    """

    root: Path
    python: str
    folder: Path | None = None


#: What in the output means what; the first that is found counts.
SIGNS = {
    "disk": r"No space left on device|\[Errno 28\]|\[Errno 122\]|Disk quota exceeded|WinError 112|not enough space on",
    "hash": r"DO NOT MATCH THE HASHES",
    "long": r"File ?name too long|\[Errno 36\]|Long Path support|WinError 206|\[Errno 63\]",
    "proxy": r"ProxyError|Cannot connect to proxy|Tunnel connection failed|407 Proxy",
    "certificate": r"SSLError|CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
    "network": r"NewConnectionError|NameResolutionError|Name or service not known|Temporary failure in name resolution"
    r"|getaddrinfo failed|Network is unreachable|Connection refused|ConnectTimeout|Connect(?:ion)? ?[Tt]imed ?out"
    r"|ReadTimeout|Read timed out|ConnectionResetError|Connection aborted|RemoteDisconnected|IncompleteRead"
    r"|IncompleteDownload|ProtocolError",
    "denied": r"HTTP error 40[13]|40[13] Client Error",
    "locked": r"WinError 32\b",
    "read-only": r"Read-only file system|\[Errno 30\]|Permission denied|\[Errno 13\]|WinError 5\b|Access is denied",
    "wheel": r"Wheel '[^']*' .*is invalid|BadZipFile|Bad CRC-32|invalid wheel|is not a zip file",
    "ensurepip": r"ensurepip is not available|No module named '?ensurepip",
    "missing": r"No matching distribution found for ([^\s;(]+)|Could not find a version that satisfies the requirement "
    r"([^\s;(]+)",
    "conflict": r"ResolutionImpossible",
    "memory": r"MemoryError|Cannot allocate memory|\[Errno 12\]",
    "library": r"DLL load failed[^\n]*|cannot open shared object file|library load disallowed|image not found"
    r"|failed to map segment",
}


def not_to_be_had(output: str) -> bool:
    """Whether pip failed for no other reason than that a version is not in its index."""
    sign = recognise(output)
    return sign in ("missing", "conflict")


def recognise(output: str) -> str:
    """The first of :data:`SIGNS` in some output; empty where there is none."""
    return next((sign for sign, pattern in SIGNS.items() if re.search(pattern, output)), "")


def explain(output: str, code: int, setting: Setting) -> EngineError:
    """Why a step of an installation failed, with what to do about it.

    Args:
        output: of the step.
        code: its exit status.
        setting: where.
    """
    again = "then install again: what was downloaded is kept"
    sign = recognise(output)
    if code in (-9, 137) and sign not in ("disk", "memory"):
        return EngineError(
            "The installation was killed, perhaps because memory ran out.", f"Close other programs, {again}.", output
        )
    sentences = {
        "disk": (f"The disk of {setting.root} is full.", f"Make room on it, {again}."),
        "hash": (
            f"A package is not the one that was published: {_last(output, 'from ')}.",
            "Try again; if it stays, do not use that source of packages.",
        ),
        "long": (
            f"A path in {setting.root} is longer than this system allows.",
            "Allow long paths in the system's settings, or let Blender's user folder have a shorter path, "
            "then install again.",
        ),
        "proxy": (
            "The proxy server of this network refused the connection or was not reached.",
            f"Check the proxy in the system's settings or in pip's configuration, {again}; or install from a folder.",
        ),
        "certificate": (
            "The connection is not trusted: a certificate could not be verified.",
            "Check the computer's clock; in a network with certificates of its own, name them in pip's configuration; "
            "or install from a folder of wheels.",
        ),
        "network": (
            "The packages could not be downloaded: there is no connection, or it broke off.",
            f"Check the network, {again}; without one, install from a folder of wheels.",
        ),
        "denied": (
            "The source of packages denied access.",
            "Check the address and the account in pip's configuration and in the preferences.",
        ),
        "locked": (
            f"A file in {setting.root} is in use by another program.",
            "Close other Blenders, then install again.",
        ),
        "read-only": (
            f"Nothing can be written in {setting.root}.",
            "Give yourself the right to write there, or let Blender's user folder be another one, then install again.",
        ),
        "wheel": (
            f"A downloaded package is damaged: {_last(output, '')}",
            "Install again: it is downloaded anew. In a folder of wheels, replace the file.",
        ),
        "ensurepip": (
            f"{setting.python} cannot make environments: a part of it is missing.",
            "Install that part (on Debian and Ubuntu the package python3-venv), then install again.",
        ),
        "missing": _missing(output, setting),
        "conflict": (
            f"The packages do not fit together for {setting.python}: {_last(output, 'The user requested')}",
            "Take limits on versions out of pip's configuration, or install from a folder of wheels.",
        ),
        "memory": ("Memory ran out.", f"Close other programs, {again}."),
        "library": (
            f"A library cannot be loaded: {_last(output, 'Error')}",
            "Let the virus scanner pass the folder of the engine; on Windows, install Microsoft's Visual C++ "
            "Redistributable; then install again.",
        ),
    }
    message, remedy = sentences.get(
        sign,
        (
            f"The installation failed (exit status {code}): {_last(output, 'rror')}",
            "Install again; if it fails again, copy the report.",
        ),
    )
    return EngineError(message, remedy, output[-6000:])


def _missing(output: str, setting: Setting) -> tuple[str, str]:
    """A package that is not to be had, or only in other versions, or for other Pythons."""
    found = re.search(SIGNS["missing"], output)
    name = next((group for group in found.groups() if group), "a package") if found else "a package"
    versions = re.search(r"\(from versions: ([^)]*)\)", output)
    there = versions[1] if versions and versions[1] != "none" else ""
    has = f"; there is {', '.join(there.split(', ')[-5:])}" if there else ""
    if setting.folder:
        return (
            f"The folder has no wheel of {name} that fits {setting.python} on this system{has}.",
            f"Add it to {setting.folder}, then install again.",
        )
    return (
        f"There is no wheel of {name} for {setting.python} on this system{has}.",
        "Install Python 3.11, 3.12 or 3.13 beside this one, where a terminal finds it, then install again; "
        "or name a Python of your own in the preferences.",
    )


def _last(output: str, part: str) -> str:
    """The last line that has some part; of everything, where no line has."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("[notice]")]
    fitting = [line for line in lines if part in line]
    last = (fitting or lines or ["it said nothing"])[-1]
    return last.removeprefix("ERROR: ")[:300]
