"""Cuboid programs: the text is read strictly, and every statement puts boxes where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen3d_core.data.coverage import read_programs
from gen3d_core.data.programs import (
    Attach,
    BadProgram,
    Box3,
    Cuboid,
    Program,
    Reflect,
    Squeeze,
    Translate,
    execute,
    parse,
    to_text,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "shapeassembly"
CHAIR = """
Assembly Program_0 {
    bbox = Cuboid(0.6, 1.0, 0.5, True)
    cube0 = Cuboid(0.6, 0.1, 0.5, True)
    Program_1 = Cuboid(0.6, 0.4, 0.5, True)
    cube2 = Cuboid(0.6, 0.5, 0.1, True)
    attach(cube0, bbox, 0.5, 0.0, 0.5, 0.5, 0.4, 0.5)
    squeeze(Program_1, bbox, cube0, bot, 0.5, 0.5)
    attach(cube2, cube0, 0.5, 0.0, 0.0, 0.5, 1.0, 0.0)
}
Assembly Program_1 {
    bbox = Cuboid(0.6, 0.4, 0.5, True)
    cube0 = Cuboid(0.1, 0.4, 0.1, True)
    cube1 = Cuboid(0.1, 0.4, 0.1, True)
    squeeze(cube0, bbox, bbox, top, 0.1, 0.1)
    squeeze(cube1, bbox, bbox, top, 0.1, 0.9)
    reflect(cube0, X)
    reflect(cube1, X)
}
"""


def program(*lines: Cuboid | Attach | Squeeze | Reflect | Translate) -> Program:
    return Program("Program_0", Cuboid("bbox", 1.0, 1.0, 1.0), lines)


def named(boxes: list[Box3], name: str) -> list[Box3]:
    return [box for box in boxes if box.name == name]


def span(box: Box3) -> np.ndarray:
    corners = box.corners()
    return np.stack([corners.min(0), corners.max(0)])


def test_a_chair_stands_upright_with_its_back_behind_in_the_engines_frame() -> None:
    boxes = execute(parse(CHAIR))
    assert len(boxes) == 6
    (seat,), (back,) = named(boxes, "cube0"), named(boxes, "cube2")
    np.testing.assert_allclose(span(seat), [[-0.3, -0.25, -0.1], [0.3, 0.25, 0.0]], atol=1e-12)
    # The language's back is at z = 0, the engine's at +y.
    np.testing.assert_allclose(span(back), [[-0.3, 0.15, 0.0], [0.3, 0.25, 0.5]], atol=1e-12)
    feet = named(boxes, "Program_1/cube0") + named(boxes, "Program_1/cube1")
    places = sorted((round(float(box.centre[0]), 6), round(float(box.centre[1]), 6)) for box in feet)
    assert places == [(-0.24, -0.2), (-0.24, 0.2), (0.24, -0.2), (0.24, 0.2)]
    assert all(span(box)[0, 2] == pytest.approx(-0.5) and span(box)[1, 2] == pytest.approx(-0.1) for box in feet)


def test_text_and_program_are_two_forms_of_one_thing() -> None:
    first = parse(CHAIR)
    assert parse(to_text(first)) == first
    assert first.depth() == 2
    assert first.lines[4] == Squeeze("Program_1", "bbox", "cube0", "bot", 0.5, 0.5)


def test_values_survive_the_text_exactly() -> None:
    third = program(
        Cuboid("a", 1 / 3, 1e-7, 0.1, False),
        Attach("a", "bbox", (0.1, 1 / 7, 1.0), (0.5, 0.5, 0.3)),
        Translate("a", "Z", 3, 2 / 3),
    )
    assert parse(to_text(third)) == third


def test_an_aligned_cuboid_grows_over_a_wide_gap_and_keeps_its_other_side() -> None:
    boxes = execute(
        program(
            Cuboid("low", 0.2, 0.2, 0.2),
            Cuboid("high", 0.2, 0.2, 0.2),
            Cuboid("post", 0.1, 0.3, 0.1),
            Attach("low", "bbox", (0.5, 0.0, 0.5), (0.5, 0.0, 0.5)),
            Attach("high", "bbox", (0.5, 1.0, 0.5), (0.5, 1.0, 0.5)),
            Attach("post", "low", (0.5, 0.0, 0.5), (0.5, 1.0, 0.5)),
            Attach("post", "high", (0.5, 1.0, 0.5), (0.5, 0.0, 0.5)),
        )
    )
    np.testing.assert_allclose(span(named(boxes, "post")[0])[:, 2], [-0.3, 0.3], atol=1e-9)


def test_an_aligned_cuboid_ignores_a_narrow_gap() -> None:
    boxes = execute(
        program(
            Cuboid("high", 0.2, 0.2, 0.2),
            Cuboid("post", 0.1, 0.79, 0.1),
            Attach("high", "bbox", (0.5, 1.0, 0.5), (0.5, 1.0, 0.5)),
            Attach("post", "bbox", (0.5, 0.0, 0.5), (0.5, 0.0, 0.5)),
            Attach("post", "high", (0.5, 1.0, 0.5), (0.5, 0.0, 0.5)),
        )
    )
    np.testing.assert_allclose(named(boxes, "post")[0].dims, [0.1, 0.79, 0.1])


def test_a_free_cuboid_stretches_and_turns_between_two_points() -> None:
    ends = np.array([0.2, 0.0, 0.3]), np.array([0.7, 0.9, 0.4])
    boxes = execute(
        program(
            Cuboid("strut", 0.05, 0.5, 0.05, False),
            Attach("strut", "bbox", (0.5, 0.0, 0.5), tuple(ends[0].tolist())),
            Attach("strut", "bbox", (0.5, 1.0, 0.5), tuple(ends[1].tolist())),
        )
    )
    (strut,) = boxes
    assert strut.dims[1] == pytest.approx(np.linalg.norm(ends[1] - ends[0]))
    assert strut.dims[0] == strut.dims[2] == 0.05
    np.testing.assert_allclose(strut.axes.T @ strut.axes, np.eye(3), atol=1e-12)
    # From the language's axes (right, up, front) to the engine's.
    for end, side in zip(ends, (-0.5, 0.5), strict=True):
        x, y, z = end - 0.5
        np.testing.assert_allclose(strut.centre + side * strut.dims[1] * strut.axes[:, 1], [x, -z, y], atol=1e-12)


def test_a_third_attachment_turns_a_cuboid_about_the_line_of_the_first_two() -> None:
    boxes = execute(
        program(
            Cuboid("wing", 0.4, 0.02, 1.0, False),
            Attach("wing", "bbox", (0.0, 0.5, 0.0), (0.5, 0.5, 0.0)),
            Attach("wing", "bbox", (0.0, 0.5, 1.0), (0.5, 0.5, 1.0)),
            Attach("wing", "bbox", (1.0, 0.5, 0.5), (0.5, 1.0, 0.5)),
        )
    )
    np.testing.assert_allclose(np.ptp(boxes[0].corners(), axis=0), [0.02, 1.0, 0.4], atol=1e-9)


def test_symmetries_copy_cuboids_with_all_that_is_in_them() -> None:
    child = program(Cuboid("a", 0.5, 0.5, 0.5), Attach("a", "bbox", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    whole = Program(
        "Program_0",
        Cuboid("bbox", 1.0, 1.0, 1.0),
        (
            Cuboid("Program_1", 0.2, 0.2, 0.2),
            Attach("Program_1", "bbox", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
            Reflect("Program_1", "X"),
            Translate("Program_1", "Z", 2, 0.8),
        ),
        {"Program_1": Program("Program_1", child.bbox, child.lines)},
    )
    boxes = execute(whole)
    assert [box.name for box in boxes] == ["Program_1/a"] * 4
    lows = sorted(tuple(np.round(span(box)[0], 6).tolist()) for box in boxes)
    # The mirrored corner is the far one; a shift towards the front is one towards -y.
    assert lows == [(-0.5, -0.4, -0.5), (-0.5, 0.0, -0.5), (-0.5, 0.4, -0.5), (0.4, 0.4, -0.5)]
    assert all(np.linalg.det(box.axes) == pytest.approx(1) for box in boxes)


def test_squeeze_reads_the_two_axes_of_a_side_in_order() -> None:
    boxes = execute(program(Cuboid("a", 1.0, 0.1, 0.1), Squeeze("a", "bbox", "bbox", "right", 0.2, 0.9)))
    np.testing.assert_allclose(boxes[0].centre, [0.0, -0.4, -0.3], atol=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("import os", "Line 1"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, True)", "not closed"),
        ("Assembly A {\n}", "bounding box"),
        ("Assembly A {\n cube0 = Cuboid(1, 1, 1, True)\n}", "bounding box"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, 1)\n}", "neither True nor False"),
        ("Assembly A {\n bbox = Cuboid(1, 1, True)\n}", "3 values"),
        ("Assembly A {\n bbox = Cuboid(1, 1, nan, True)\n}", "not a number"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1 + 1, True)\n}", "not a number"),
        ("Assembly A {\n bbox = Cuboid(1, 0, 1, True)\n}", "positive"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n exec(bbox)\n}", "Line 3 calls 'exec'"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n reflect(cube0, X)\n}", "before it is declared"),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n a = Cuboid(1, 1, 1, True)\n reflect(a, W)\n}", "not an axis"),
        (
            "Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n a = Cuboid(1, 1, 1, True)\n"
            " squeeze(a, bbox, bbox, roof, 0, 0)\n}",
            "not a face",
        ),
        (
            "Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n a = Cuboid(1, 1, 1, True)\n a = Cuboid(1, 1, 1, True)\n}",
            "twice",
        ),
        ("Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n A = Cuboid(1, 1, 1, True)\n}", "itself"),
        (
            "Assembly A {\n bbox = Cuboid(1, 1, 1, True)\n}\nAssembly B {\n bbox = Cuboid(1, 1, 1, True)\n}",
            "never be executed",
        ),
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str, expected: str) -> None:
    with pytest.raises(BadProgram, match=expected):
        parse(text)


def test_copies_of_copies_cannot_fill_the_memory() -> None:
    inner = program(Cuboid("a", 0.1, 0.1, 0.1), Translate("a", "X", 1000, 1.0))
    whole = inner
    for level in range(3):
        name = f"Program_{level + 1}"
        whole = Program(
            "Program_0",
            inner.bbox,
            (Cuboid(name, 0.1, 0.1, 0.1), Translate(name, "X", 1000, 1.0)),
            {name: Program(name, whole.bbox, whole.lines, whole.children)},
        )
    with pytest.raises(BadProgram, match="more than 10000 boxes"):
        execute(whole)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real programs are not here")
def test_real_programs_fill_the_box_they_declare() -> None:
    texts = read_programs(SHARED / "storage_train.tar.xz")[::14]
    off = []
    for text in texts:
        whole = parse(text)
        assert parse(to_text(whole)) == whole
        corners = np.concatenate([box.corners() for box in execute(whole)])
        off.append(np.abs(np.ptp(corners, axis=0) / whole.bbox.dims[[0, 2, 1]] - 1).max())
    assert len(off) == 101
    assert np.mean(np.array(off) < 0.05) > 0.85
