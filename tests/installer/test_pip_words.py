"""What pip says, as progress and as sentences for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installer.parts import pip_words, posix_only

pytestmark = posix_only


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
