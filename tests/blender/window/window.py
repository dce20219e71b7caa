"""A real Blender window for tests, on a screen of its own, driven by a real mouse.

    with Window(blender, scripts=[script]) as window:
        window.open_tab("Gen3D")
        window.click(*window.find_button("gen3d.generate("))
        assert window.call("len(bpy.data.objects)") == 4

`Window` starts Xvfb (an X server that draws into memory) and Blender in it; `move`, `click`, `drag` and `key` send
what a hand would send, by xdotool; `call` runs Python in Blender's main thread and returns its value; `screenshot`
takes what a person would see. Everything waits for an answer, never for a time: a `call` runs after Blender has handled
all the mouse and key events sent before it.

Blender comes from `install_blender.sh`, or from any other place with Xvfb, xdotool and ImageMagick installed on this
system. Standard library only. Places on the screen are in pixels from the upper left corner, as X counts them.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

MAILBOX = Path(__file__).resolve().with_name("mailbox.py")
TITLE_COLOR = (255, 0, 255)  # magenta, which no part of Blender's default theme has
TITLE_PIXELS = 18  # more than a title is high, less than from one to the next, at an interface's scale of 1
POLL_SECONDS = 0.002


class WindowError(RuntimeError):
    """Blender, its screen or its mouse did not do what the test needs; the message ends with Blender's log."""


@dataclass(frozen=True)
class Rectangle:
    """A part of the screen, in pixels from its upper left corner; the right and bottom edges are outside."""

    left: int
    top: int
    width: int
    height: int

    @property
    def center(self) -> tuple[int, int]:
        """The pixel in the middle."""
        return self.left + self.width // 2, self.top + self.height // 2


def blender_from_environment() -> str | None:
    """The Blender to test with, from the environment variable BLENDER; None where that is not set."""
    return os.environ.get("BLENDER") or None


def python_folders() -> list[Path]:
    """The folders that this Python needs to run, to be passed as `folders`: its environment and its base installation.

    Raises:
        WindowError: if it is the system's own Python, whose folder cannot be shared with another Debian.
    """
    if Path(sys.base_prefix) == Path("/usr"):
        raise WindowError(
            "This Python is installed in /usr, which another Debian cannot share: run the tests with a Python "
            "that has a folder of its own (pyenv, uv, conda), or with a BLENDER that is not in a chroot."
        )
    return sorted({Path(sys.prefix), Path(sys.base_prefix)})


class Window:
    """A running Blender with a window, a mouse and a keyboard; use it as a context manager.

    Args:
        blender: the command that starts Blender: the launcher of `install_blender.sh` or any Blender's executable.
        scripts: Python files that Blender runs at start, before the window is ready.
        arguments: further arguments for Blender, before the scripts.
        environment: variables for Blender on top of this process's own.
        folders: folders that a launcher of `install_blender.sh` makes visible to Blender at the same path. The system's
            folder for temporary files is always visible.
        width: of the screen and of Blender's window, in pixels.
        height: likewise.
        start_seconds: how long Blender may take to be ready.
    """

    def __init__(
        self,
        blender: str | Path,
        scripts: Sequence[Path] = (),
        *,
        arguments: Sequence[str] = ("--factory-startup",),
        environment: Mapping[str, str] | None = None,
        folders: Sequence[Path] = (),
        width: int = 1600,
        height: int = 1000,
        start_seconds: float = 120.0,
    ) -> None:
        self.blender = str(blender)
        self.scripts = [Path(script).resolve() for script in scripts]
        self.arguments = list(arguments)
        self.folders = [MAILBOX.parent, *(script.parent for script in self.scripts), *folders]
        self.environment = {**os.environ, **(environment or {}), "LIBGL_ALWAYS_SOFTWARE": "1"}
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.width = width
        self.height = height
        self.start_seconds = start_seconds
        self.version = ""
        self._requests = 0
        self._buttons: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}  # where each was last met
        self._cleanup = contextlib.ExitStack()

    # --- start and end ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as cleanup:
            self._start(cleanup)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _start(self, cleanup: contextlib.ExitStack) -> None:
        program = shutil.which(self.blender)
        if program is None:
            raise WindowError(f"There is no program {self.blender!r}; expected a command that starts Blender.")
        self.blender = str(Path(program).absolute())
        self.folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="blender-window-")))
        self._log_path = self.folder / "blender.log"
        self._mail = self.folder / "mail"
        self._mail.mkdir()
        self.environment["GEN3D_MAILBOX"] = str(self._mail)
        self.environment.setdefault("BLENDER_USER_RESOURCES", str(self.folder / "user"))
        shared = [self.environment.get("GEN3D_BIND", ""), str(self.folder), *map(str, self.folders)]
        self.environment["GEN3D_BIND"] = ":".join(dict.fromkeys(filter(None, shared)))
        self._start_screen(cleanup)
        command = [self.blender, *self.arguments, "-noaudio", "--python-exit-code", "1"]
        command += ["--window-geometry", "0", "0", str(self.width), str(self.height)]
        for script in [MAILBOX, *self.scripts]:
            command += ["--python", str(script)]
        log = cleanup.enter_context(self._log_path.open("wb"))
        self._process = cleanup.enter_context(self._running(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        ready = self._wait_for_file(self._mail / "ready.json", self.start_seconds, "to start")
        self.version = ready["version"]
        if (ready["width"], ready["height"]) != (self.width, self.height):
            raise self._error(f"Blender's window is {ready['width']} x {ready['height']} pixels, not the whole screen")
        self._mouse = cleanup.enter_context(
            self._running(self._tool("xdotool", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )

    def _start_screen(self, cleanup: contextlib.ExitStack) -> None:
        """Starts Xvfb, which chooses a free display number itself and writes it into a pipe once it listens."""
        read_end, write_end = os.pipe()
        size = f"{self.width}x{self.height}x24"
        options = ["-displayfd", str(write_end), "-screen", "0", size, "-nolisten", "tcp", "-terminate"]
        with os.fdopen(read_end) as answer:
            try:
                command = self._tool("Xvfb", *options)
                # Xvfb complains about key symbols it does not know; what counts is the number, or its absence.
                cleanup.enter_context(self._running(command, stderr=subprocess.DEVNULL, pass_fds=[write_end]))
            finally:
                os.close(write_end)
            number = answer.readline().strip()
        if not number:
            raise WindowError("Xvfb ended before it opened a display; expected a number: try `Xvfb -displayfd 1`.")
        self.environment["DISPLAY"] = f":{number}"

    @contextlib.contextmanager
    def _running(self, command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """A process in a group of its own, which is ended as a whole: Blender's workers with Blender."""
        try:
            process = subprocess.Popen(command, env=self.environment, start_new_session=True, **options)
        except OSError as error:
            raise WindowError(f"Cannot start {command[0]}: {error.strerror}. Is it installed?") from error
        try:
            yield process
        finally:
            # A killed process goes for certain, but on a busy machine not at once.
            for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 120)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=seconds)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def _tool(self, name: str, *arguments: str) -> list[str]:
        """A command line for Xvfb, xdotool or import: from beside the launcher, else from this system."""
        inside = Path(self.blender).resolve().with_name("inside")
        if inside.exists():
            return [str(inside), name, *arguments]
        if shutil.which(name) is None:
            raise WindowError(
                f"There is no '{name}' here, which driving {self.blender} needs: install the packages xvfb, xdotool "
                "and imagemagick, or make a Blender that has them with tests/blender/window/install_blender.sh."
            )
        return [name, *arguments]

    # --- mouse and keyboard ----------------------------------------------------------------------------------------

    def _send(self, *commands: str) -> None:
        """Gives xdotool commands and waits until the X server has carried them out, and passed them on to Blender."""
        assert self._mouse.stdin is not None
        assert self._mouse.stdout is not None
        try:
            self._mouse.stdin.write("\n".join([*commands, "getmouselocation", ""]))
            self._mouse.stdin.flush()
        except BrokenPipeError:
            raise self._error("xdotool has ended; expected it to take the next command") from None
        if not self._mouse.stdout.readline():
            raise self._error(f"xdotool ended at: {'; '.join(commands)}")

    def move(self, x: int, y: int) -> None:
        """Moves the mouse there."""
        self._send(f"mousemove {x} {y}")

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Moves there and presses a button: 1 left, 2 middle, 3 right, 4 and 5 turn the wheel.

        Blender has drawn the button as hovered before it is pressed, and has handled the click on return.
        """
        self.move(x, y)
        self.settle()
        self._send(f"mousedown {button}", f"mouseup {button}")
        self.settle()

    def drag(
        self, start: tuple[int, int], end: tuple[int, int], *, steps: int = 20, seconds: float = 0.0, button: int = 1
    ) -> None:
        """Presses at the start, moves to the end in equal steps, releases; every step is handled before the next.

        A field that is dragged without changing, such as a slider at its minimum to the left, is taken by Blender as
        clicked, and opens for typing. The first movements of a drag, some pixels, do not count yet: take small steps.

        Args:
            start: x and y in pixels.
            end: likewise.
            steps: how many mouse movements it takes.
            seconds: how long it takes at least, spread over the steps.
            button: 1 left, 2 middle, 3 right.
        """
        with self.held(start, button) as to:
            begin = time.monotonic()
            for step in range(1, steps + 1):
                x, y = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
                to(x, y)
                time.sleep(max(0.0, begin + seconds * step / steps - time.monotonic()))

    @contextlib.contextmanager
    def held(self, start: tuple[int, int], button: int = 1) -> Iterator[Callable[[int, int], None]]:
        """Presses at the start and releases in the end.

        Args:
            start: x and y in pixels.
            button: 1 left, 2 middle, 3 right.

        Yields:
            What moves the mouse on to x and y; every movement is handled on return.
        """
        self.move(*start)
        self.settle()
        self._send(f"mousedown {button}")
        x, y = start

        def to(next_x: int, next_y: int) -> None:
            nonlocal x, y
            # Relative, as a hand moves: while a slider is dragged Blender itself puts the (hidden) mouse elsewhere.
            self._send(f"mousemove_relative -- {next_x - x} {next_y - y}")
            x, y = next_x, next_y
            self.settle()

        yield to
        self._send(f"mouseup {button}")
        self.settle()

    def key(self, name: str) -> None:
        """Presses a key or a combination, or several in turn, as X names them: "ctrl+z", "n", "5 Return".

        As always in Blender they go where the mouse is.
        """
        self._send(f"key {name}")
        self.settle()

    # --- Blender's inside ------------------------------------------------------------------------------------------

    def call(self, source: str, *, seconds: float = 60.0, **values: Any) -> Any:
        """Runs Python in Blender's main thread, after all that was sent before, and returns its value.

        Args:
            source: an expression, or statements that leave their answer in `result`. `bpy` and the functions of
                `mailbox.py` are there.
            seconds: how long to wait for it.
            values: further names for the source; they and the answer travel as JSON (sets and vectors become lists).

        Raises:
            WindowError: if it raises, if Blender ends, or if no answer comes in time.
        """
        number, self._requests = self._requests, self._requests + 1
        partial = self._mail / f".request-{number}.json"
        partial.write_text(json.dumps({"source": source, "values": values}), encoding="utf-8")
        partial.rename(self._mail / f"request-{number}.json")
        answer = self._wait_for_file(self._mail / f"reply-{number}.json", seconds, f"to answer {source!r}")
        if "error" in answer:
            raise self._error(f"Blender raised an error at {source!r}:\n{answer['error']}")
        return answer["value"]

    def settle(self) -> None:
        """Returns when Blender has handled all mouse and key events sent so far."""
        self.call("None")

    def wait_until(self, source: str, *, seconds: float = 60.0, **values: Any) -> Any:
        """Repeats `call` until its value is true, and returns that; raises WindowError where that takes too long."""
        end = time.monotonic() + seconds
        while not (value := self.call(source, **values)):
            if time.monotonic() > end:
                raise self._error(f"For {seconds:g} seconds {source!r} stayed {value!r}; expected it to become true")
            time.sleep(POLL_SECONDS)
        return value

    def _wait_for_file(self, path: Path, seconds: float, purpose: str) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while not path.exists():
            if self._process.poll() is not None:
                raise self._error(f"Blender ended with status {self._process.returncode}; expected it {purpose}")
            if time.monotonic() > end:
                raise self._error(f"Blender took more than {seconds:g} seconds {purpose}")
            time.sleep(POLL_SECONDS)
        content = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return content

    def log(self) -> str:
        """What Blender and its children have printed so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def _error(self, message: str) -> WindowError:
        tail = "\n".join(self.log().splitlines()[-30:])
        return WindowError(f"{message}\n--- the end of Blender's log ---\n{tail}")

    # --- looking ---------------------------------------------------------------------------------------------------

    def _grab(self, picture_format: str) -> bytes:
        self.call("redraw()")
        command = self._tool("import", "-silent", "-window", "root", "-depth", "8", picture_format)
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False, timeout=60)
        if done.returncode != 0 or not done.stdout:
            raise self._error(f"import took no picture of the screen: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def screenshot(self, path: Path) -> None:
        """Saves the screen, freshly drawn, as a PNG file."""
        path.write_bytes(self._grab("png:-"))

    def region(self, area_type: str = "VIEW_3D", region_type: str = "UI") -> Rectangle:
        """Where a region of the largest editor of that type is on the screen."""
        left, bottom, width, height = self.call("region_rectangle(area, region)", area=area_type, region=region_type)
        return Rectangle(left, self.height - bottom - height, width, height)

    def open_tab(self, name: str, area_type: str = "VIEW_3D") -> None:
        """Opens the editor's sidebar and turns to the tab of that name, by the keyboard: Ctrl Tab is "next tab".

        The mouse goes to the first tab for that: below the last panel the sidebar is glass, and keys fall through.
        """
        self.call("show_sidebar(area)", area=area_type)
        sidebar = self.region(area_type, "UI")
        self.move(sidebar.left + sidebar.width - 8, sidebar.top + 30)
        seen: list[str] = []
        while (active := self.call("active_tab(area)", area=area_type)) != name:
            if active in seen:
                raise self._error(f"No tab {name!r} in the sidebar; it has {', '.join(seen)}")
            seen.append(active)
            self.key("ctrl+Tab")
        self.call("redraw()")

    def find_button(
        self, name: str, area_type: str = "VIEW_3D", region_type: str = "UI", *, row: int | None = None
    ) -> tuple[int, int]:
        """A point on a button: the mouse passes over the region, without a click, and Blender says what it is over.

        Found are operators' buttons and properties' fields, greyed ones too, in the visible part of the region; not
        menus, labels and headers. Where several have that name it is one of them. What was met on the way is
        remembered, and looked at first the next time; the mouse is left on the button.

        Args:
            name: how the answer of `button_under_mouse` begins or ends: "gen3d.generate(" for an operator's button,
                ".gen3d_strength" for a property's field.
            area_type: the editor's type.
            region_type: the region's type in it.
            row: the height on the screen at which it is, where that is known: then it is found in an instant.

        Raises:
            WindowError: if there is none; the message lists what there is.
        """
        region = self.region(area_type, region_type)
        known = self._buttons.setdefault((area_type, region_type), {})
        likely = [place for title, place in known.items() if _is_called(title, name)]
        step = max(1, int(10 * self.call("bpy.context.preferences.system.ui_scale")))  # half a button's height
        places = _places(region, step)
        if row is not None:
            likely, places = [], ((x, row) for x in range(region.left + step // 2, region.left + region.width, step))
        for x, y in itertools.chain(likely, places):
            title = self._title_at(x, y, area_type, region_type)
            if title:
                known[title] = (x, y)
            if _is_called(title, name):
                return x, y
        there = ", ".join(known) or "none"
        raise self._error(f"No button {name!r} in region {region_type} of {area_type}; the buttons there are: {there}")

    def button_rectangle(self, name: str, area_type: str = "VIEW_3D", region_type: str = "UI") -> Rectangle:
        """The whole button around the point that `find_button` finds; slower, by some thirty mouse movements."""
        region = self.region(area_type, region_type)
        x, y = self.find_button(name, area_type, region_type)
        title = self._title_at(x, y, area_type, region_type)

        def last_inside(inside: int, outside: int, horizontal: bool) -> int:
            """Halves the way from the point to the region's edge until the button's edge is left."""
            while abs(outside - inside) > 1:
                middle = (inside + outside) // 2
                place = (middle, y) if horizontal else (x, middle)
                if self._title_at(*place, area_type, region_type) == title:
                    inside = middle
                else:
                    outside = middle
            return inside

        left = last_inside(x, region.left - 1, horizontal=True)
        right = last_inside(x, region.left + region.width, horizontal=True)
        top = last_inside(y, region.top - 1, horizontal=False)
        bottom = last_inside(y, region.top + region.height, horizontal=False)
        return Rectangle(left, top, right - left + 1, bottom - top + 1)

    def _title_at(self, x: int, y: int, area_type: str, region_type: str) -> str:
        self.move(x, y)
        return self.call("button_under_mouse(area, region)", area=area_type, region=region_type)

    def panels(self, area_type: str = "VIEW_3D", region_type: str = "UI") -> dict[str, Rectangle]:
        """The headers of the region's panels, by what is written on them, from the top; a click opens or closes one.

        Found are panels inside open ones, too. They are looked for in a picture of the screen for which their titles
        have a color that nothing else has. What is written there is known from the panels' classes: the region has to
        show its upper end. Those below its lower end are not among them.

        Raises:
            WindowError: if there are none, or more headers than panels.
        """
        names = self.call("panel_names(area, region)", area=area_type, region=region_type)
        before = self.call("paint_panel_titles(color)", color=[value / 255 for value in TITLE_COLOR])
        pixels = self._grab("rgb:-")
        self.call("paint_panel_titles(color)", color=before)
        region = self.region(area_type, region_type)
        apart = TITLE_PIXELS * self.call("bpy.context.preferences.system.ui_scale")
        headers: list[Rectangle] = []
        for y in range(region.top, region.top + region.height):
            start = (y * self.width + region.left) * 3
            row = pixels[start : start + region.width * 3]
            if not any(_is_title(*pixel) for pixel in zip(row[0::3], row[1::3], row[2::3], strict=True)):
                continue
            if headers and y - headers[-1].top < apart:
                headers[-1] = Rectangle(region.left, headers[-1].top, region.width, y + 1 - headers[-1].top)
            else:
                headers.append(Rectangle(region.left, y, region.width, 1))
        if not 0 < len(headers) <= len(names):
            raise self._error(f"{len(headers)} headers are to be seen, of the panels {', '.join(names)}")
        return dict(zip(names, headers, strict=False))


def _is_title(red: int, green: int, blue: int) -> bool:
    """Whether a pixel has the color of titles, but for the smoothing of letters' edges."""
    return red > 200 and green < 60 and blue > 200


def _is_called(title: str, name: str) -> bool:
    return title.startswith(name) or title.endswith(name)


def _places(region: Rectangle, step: int) -> Iterator[tuple[int, int]]:
    """The points of a region at which to look for buttons: rows `step` apart, first down the columns most are in."""
    for column in (10, 5, 13, 2, 7, 12, 1, 4, 8, 14, 3, 6, 9, 11, 15):
        for y in range(region.top + step // 2, region.top + region.height, step):
            yield region.left + region.width * column // 16, y
