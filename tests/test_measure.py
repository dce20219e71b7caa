"""Attributes measured on solids: built by hand, and of the catalogue."""

import numpy as np
import pytest

from gen3d_core import measure
from gen3d_core.data import catalogue

R = 32


def solid(*boxes: tuple[int, int, int, int, int, int], side: int = R) -> np.ndarray:
    """Boxes of cells, each from (x, y, z) up to but without (x, y, z), on a grid of 32, at another side if wanted."""
    grid = np.zeros((R,) * 3, dtype=bool)
    for a, b, c, d, e, f in boxes:
        grid[a:d, b:e, c:f] = True
    k = side // R
    return grid.repeat(k, 0).repeat(k, 1).repeat(k, 2)


TOP = (2, 6, 16, 30, 26, 18)
LEGS = [(x, y, 2, x + 2, y + 2, 16) for x in (3, 27) for y in (7, 23)]
SEAT = (8, 8, 14, 24, 24, 16)
SHORT = [(x, y, 2, x + 2, y + 2, 14) for x in (8, 22) for y in (8, 22)]
BACK = (8, 22, 16, 24, 24, 28)


def disc(radius: float, low: int, high: int) -> np.ndarray:
    x, y, z = np.indices((R,) * 3)
    return ((x - 15.5) ** 2 + (y - 15.5) ** 2 < radius**2) & (z >= low) & (z < high)


def test_a_table_of_four_legs() -> None:
    assert measure.measured(solid(TOP, *LEGS)) == {
        "category": "table",
        "size": "middle",
        "legs": 4,
        "top": "angular",
        "shelf": "no",
    }


@pytest.mark.parametrize("side", [32, 64])
def test_the_grid_does_not_matter(side: int) -> None:
    for boxes in ([TOP, *LEGS], [SEAT, *SHORT, BACK]):
        assert measure.measured(solid(*boxes, side=side)) == measure.measured(solid(*boxes))


def test_six_legs_and_none() -> None:
    middle = [(15, y, 2, 17, y + 2, 16) for y in (7, 23)]
    assert measure.measured(solid(TOP, *LEGS, *middle))["legs"] == 6
    pedestal = (14, 14, 4, 18, 18, 16)
    assert measure.measured(solid(TOP, pedestal, (8, 8, 2, 24, 24, 4)))["legs"] == 0
    panels = [(3, 7, 2, 5, 25, 16), (27, 7, 2, 29, 25, 16)]
    assert measure.measured(solid(TOP, *panels))["legs"] == 0


def test_stretchers_do_not_join_the_legs() -> None:
    rails = [(3, 7, 5, 29, 9, 6), (3, 23, 5, 29, 25, 6)]
    assert measure.measured(solid(TOP, *LEGS, *rails))["legs"] == 4


def test_round_tops() -> None:
    for radius in (8, 11, 13.9):
        assert measure.measured(disc(radius, 16, 18) | disc(2, 2, 16), "table")["top"] == "round"
    assert measure.measured(solid(SEAT, *SHORT), "table")["top"] == "angular"


def test_a_shelf_hangs_between_floor_and_top() -> None:
    shelf = (3, 7, 6, 29, 25, 8)
    assert measure.measured(solid(TOP, *LEGS, shelf))["shelf"] == "yes"
    block = (3, 7, 2, 29, 25, 16)
    assert measure.measured(solid(TOP, block))["shelf"] == "no"


def test_chairs_have_backs_and_stools_have_none() -> None:
    chair = measure.measured(solid(SEAT, *SHORT, BACK))
    assert chair == {"category": "chair", "size": "middle", "legs": 4, "top": "angular", "back": "yes", "arms": "no"}
    assert measure.measured(solid(SEAT, *SHORT), "chair")["back"] == "no"
    slim = [(12, 12, 2, 14, 14, 24), (18, 12, 2, 20, 14, 24), (12, 18, 2, 14, 20, 24), (18, 18, 2, 20, 20, 24)]
    assert measure.measured(solid((12, 12, 24, 20, 20, 26), *slim))["category"] == "chair"


def test_armrests_are_on_both_sides() -> None:
    left, right = (8, 8, 20, 10, 22, 22), (22, 8, 20, 24, 22, 22)
    posts = [(8, 8, 16, 10, 10, 20), (22, 8, 16, 24, 10, 20)]
    assert measure.measured(solid(SEAT, *SHORT, BACK, left, right, *posts))["arms"] == "yes"
    assert measure.measured(solid(SEAT, *SHORT, BACK, left, posts[0]))["arms"] == "no"


def test_sizes_are_those_of_the_category() -> None:
    tall = solid(
        (10, 10, 14, 20, 20, 16),
        (10, 18, 16, 20, 20, 30),
        *[(x, y, 2, x + 2, y + 2, 14) for x in (10, 18) for y in (10, 18)],
    )
    assert measure.measured(tall)["size"] == "tall"
    low = solid((2, 2, 8, 30, 30, 10), *[(x, y, 4, x + 2, y + 2, 8) for x in (3, 27) for y in (3, 27)])
    assert measure.measured(low)["size"] == "low"
    # As high as it is long: much for a table, usual for a chair.
    cube = solid((6, 6, 24, 26, 26, 26), *[(x, y, 6, x + 2, y + 2, 24) for x in (6, 24) for y in (6, 24)])
    assert (measure.measured(cube, "table")["size"], measure.measured(cube, "chair")["size"]) == ("tall", "low")


def test_crumbs_do_not_count_and_nothing_has_nothing() -> None:
    crumb = (30, 30, 30, 31, 31, 31)
    assert measure.measured(solid(TOP, *LEGS, crumb)) == measure.measured(solid(TOP, *LEGS))
    empty = np.zeros((R,) * 3, dtype=bool)
    assert measure.measured(empty) == {}
    assert measure.agreement({"category": "table", "legs": 4}, empty) == {"category": False, "legs": False}


def test_agreement_is_by_attribute() -> None:
    table = solid(TOP, *LEGS)
    assert measure.agreement({"category": "table", "legs": 6}, table) == {"category": True, "legs": False}
    assert measure.agreement({"category": "chair"}, table) == {"category": False}
    # A stool is a small table to the eye.
    assert measure.agreement({"category": "chair", "back": "no"}, solid(SEAT, *SHORT)) == {"back": True}
    assert measure.agreement({}, table) == {}


def test_shares_are_over_the_rows_that_have_the_attribute() -> None:
    rows = [{"legs": True, "size": False}, {"legs": True}, {"legs": False}]
    assert measure.shares(rows) == {"size": 0.0, "legs": pytest.approx(2 / 3)}


def test_the_catalogue_is_measured_as_it_describes_itself() -> None:
    rows = []
    for category in ("chair", "table"):
        for seed in range(1_000_000, 1_000_045):
            shape = catalogue.make(category, seed)
            rows.append(measure.agreement(measure.stated(shape.attributes()), shape.voxels(R)))
    shares = measure.shares(rows)
    assert set(shares) == set(measure.ATTRIBUTES)
    assert min(shares.values()) > 0.88
    assert np.mean([flag for row in rows for flag in row.values()]) > 0.94


def test_other_categories_are_not_described() -> None:
    assert measure.stated(catalogue.make("vase", 0).attributes()) == {}
