"""Cuboid programs as texts: read strictly, line by line, and written so that nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .cuboid_language import BBOX, MOST_LINES, Attach, BadProgram, Cuboid, Line, Program, Reflect, Squeeze, Translate

LARGEST_TEXT = 1_000_000
DEEPEST = 16

_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_HEAD = re.compile(r"Assembly\s+(\w+)\s*\{", re.ASCII)
_CUBOID = re.compile(r"(\w+)\s*=\s*Cuboid\s*\(([^()]*)\)", re.ASCII)
_CALL = re.compile(r"(\w+)\s*\(([^()]*)\)", re.ASCII)


def parse(text: str) -> Program:
    """The program of a text; the first ``Assembly`` is the whole shape.

    Raises:
        BadProgram: anything that is not of the language, with the number of the line.
    """
    if len(text) > LARGEST_TEXT:
        raise BadProgram(f"The text has {len(text)} characters; at most {LARGEST_TEXT} were expected.")
    bodies: dict[str, list[Line]] = {}
    current: str | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line:
            continue
        where = f"Line {number}"
        if current is None:
            head = _HEAD.fullmatch(line)
            if head is None:
                raise BadProgram(f"{where} is '{line[:60]}'; 'Assembly NAME {{' was expected.")
            current = _name(head[1], where)
            if current in bodies:
                raise BadProgram(f"{where} defines {current} a second time.")
            bodies[current] = []
        elif line == "}":
            current = None
        else:
            bodies[current].append(_line(line, where))
            if len(bodies[current]) > MOST_LINES + 1:
                raise BadProgram(f"{where}: {current} has more than {MOST_LINES} lines.")
    if current is not None:
        raise BadProgram(f"{current} is not closed; a line with '}}' was expected at the end.")
    if not bodies:
        raise BadProgram("The text is empty; a line 'Assembly NAME {' was expected.")
    used: set[str] = set()
    root = _assemble(next(iter(bodies)), bodies, used, 1)
    if unused := set(bodies) - used:
        raise BadProgram(f"No cuboid has the name of the program {sorted(unused)[0]}; it would never be executed.")
    return root


def to_text(program: Program) -> str:
    """The text of a program and its children; `parse` gives back an equal program."""
    blocks: list[str] = []
    waiting = [program]
    while waiting:
        current = waiting.pop(0)
        lines = [current.bbox, *current.lines]
        blocks.append("\n".join([f"Assembly {current.name} {{", *(f"\t{_text(line)}" for line in lines), "}"]) + "\n")
        waiting += current.children.values()
    return "".join(blocks)


def _assemble(name: str, bodies: Mapping[str, Sequence[Line]], used: set[str], level: int) -> Program:
    if name in used:
        raise BadProgram(f"{name} replaces more than one cuboid, or itself; every program has one place.")
    if level > DEEPEST:
        raise BadProgram(f"{name} is on level {level}; at most {DEEPEST} levels were expected.")
    used.add(name)
    lines = bodies[name]
    if not lines or not isinstance(lines[0], Cuboid):
        raise BadProgram(f"{name} does not start with its bounding box, '{BBOX} = Cuboid(...)'.")
    names = [line.name for line in lines[1:] if isinstance(line, Cuboid)]
    children = {child: _assemble(child, bodies, used, level + 1) for child in names if child in bodies}
    return Program(name, lines[0], tuple(lines[1:]), children)


def _line(line: str, where: str) -> Line:
    if match := _CUBOID.fullmatch(line):
        length, height, width, aligned = _fields(match[2], 4, where)
        if aligned not in ("True", "False"):
            raise BadProgram(f"{where}: '{aligned[:40]}' is neither True nor False.")
        sizes = _number(length, where), _number(height, where), _number(width, where)
        return Cuboid(_name(match[1], where), *sizes, aligned == "True")
    match = _CALL.fullmatch(line)
    if match is None:
        raise BadProgram(f"{where} is '{line[:60]}'; a cuboid, attach, squeeze, reflect or translate was expected.")
    word, inner = match[1], match[2]
    if word == "attach":
        moved, fixed, *numbers = _fields(inner, 8, where)
        a, b, c, d, e, f = (_number(value, where) for value in numbers)
        return Attach(_name(moved, where), _name(fixed, where), (a, b, c), (d, e, f))
    if word == "squeeze":
        moved, first, second, face, u, v = _fields(inner, 6, where)
        places = _name(moved, where), _name(first, where), _name(second, where), _name(face, where)
        return Squeeze(*places, _number(u, where), _number(v, where))
    if word == "reflect":
        name, axis = _fields(inner, 2, where)
        return Reflect(_name(name, where), _name(axis, where))
    if word == "translate":
        name, axis, copies, distance = _fields(inner, 4, where)
        if not re.fullmatch(r"\d{1,4}", copies, re.ASCII):
            raise BadProgram(f"{where}: '{copies[:40]}' is not a number of copies.")
        return Translate(_name(name, where), _name(axis, where), int(copies), _number(distance, where))
    raise BadProgram(f"{where} calls '{word[:40]}'; the language has attach, squeeze, reflect and translate.")


def _fields(inner: str, count: int, where: str) -> list[str]:
    values = [value.strip() for value in inner.split(",")]
    if len(values) != count:
        raise BadProgram(f"{where} has {len(values)} values in parentheses; {count} were expected.")
    return values


def _name(text: str, where: str) -> str:
    if not _NAME.fullmatch(text):
        raise BadProgram(f"{where}: '{text[:40]}' is not a name of letters, digits and underscores.")
    return text


def _number(text: str, where: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadProgram(f"{where}: '{text[:40]}' is not a number.")
    return float(text)


def _text(line: Line) -> str:
    def plain(*values: float) -> str:
        return ", ".join(repr(float(value)) for value in values)

    if isinstance(line, Cuboid):
        return f"{line.name} = Cuboid({plain(*line.dims)}, {bool(line.aligned)})"
    if isinstance(line, Attach):
        return f"attach({line.moved}, {line.fixed}, {plain(*line.at, *line.to)})"
    if isinstance(line, Squeeze):
        return f"squeeze({line.moved}, {line.first}, {line.second}, {line.face}, {plain(line.u, line.v)})"
    if isinstance(line, Reflect):
        return f"reflect({line.name}, {line.axis})"
    return f"translate({line.name}, {line.axis}, {line.copies}, {plain(line.distance)})"
