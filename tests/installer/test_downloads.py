"""Installations from an index on this machine, which break off, are cancelled and go on."""

from __future__ import annotations

import functools
import http.server
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen3d_core import runs
from tests import stand_ins
from tests.installer.parts import driver, environment, fails, installation, packages, posix_only, run, until

pytestmark = posix_only


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


@pytest.mark.slow
def test_downloads(plan: Any, index: Any) -> None:
    one = run(replace(plan, folder=None))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0+cpu"
    wheels = [name for name in index.served if name.endswith(".whl")]
    assert len(wheels) == len(set(wheels)) == 3, "each is fetched once"
    assert not (plan.root / environment.WHEELS).exists(), "what is installed is not kept twice"


@pytest.mark.slow
def test_plain_build_where_there_is_no_other(plan: Any, index: Any) -> None:
    choice = packages.choose("cuda", driver.Driver("560.1", (12, 6)), "1.0", "linux")
    choice = replace(choice, versions=choice.versions[-2:])
    one = run(replace(plan, folder=None, choice=choice))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.torch == "1.0+cpu"
    assert "has PyTorch for the processor only: name the index" in " ".join(one.made.facts.notes), "never silently"
    (index.folder / "torch" / "torch-1.0+cpu-py3-none-any.whl").unlink()
    stand_ins.torch(index.folder / "torch", "1.0")
    one = run(replace(plan, folder=None))
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
    one = run(replace(plan, folder=None, choice=choice, index=other.as_uri()))
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
    until(one, lambda: "alpha: 1." in one.text)
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
    again = run(plan)
    assert again.error is None, (again.error, again.error and again.error.details)
    assert [name for name in index.served if name.endswith(".whl")] == ["alpha-1.0-py3-none-any.whl"]


@pytest.mark.slow
def test_connection_that_breaks_off(plan: Any, index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.wheel(index.folder / "alpha", "alpha", "1.0", requires=["beta"], filling=3_000_000)
    index.stuck = "alpha-"
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "2")
    plan = replace(plan, folder=None)
    fails(plan, "there is no connection, or it broke off", "what was downloaded is kept")
    assert (plan.root / environment.WHEELS / "torch-1.0+cpu-py3-none-any.whl").is_file()
    assert not list((plan.root / environment.WHEELS).glob("alpha*"))


@pytest.mark.slow
def test_no_network_and_no_proxy(plan: Any, index: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(plan, folder=None)
    # Without a second attempt, pip keeps to itself that there was a first one.
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1")
    fails(plan, "The packages could not be downloaded", "install from a folder of wheels")
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.invalid")
    fails(plan, "proxy", "Check the proxy")
