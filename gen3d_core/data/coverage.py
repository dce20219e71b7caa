"""How real is the catalogue? Which share of real shapes has a catalogue shape nearby, by Chamfer distance.

Real shapes and catalogue shapes are brought to one frame and one size (longest side 0.9, bounding box at the origin)
and become the cells of one lattice that their surfaces touch. With ``X`` and ``Y`` such sets of cells, at their
centres,

    CD(X, Y) = mean_x min_y |x - y|^2 + mean_y min_x |x - y|^2

is the Chamfer distance of `gen3d_core.metrics`, computed exactly by one distance transform a shape, and free of the
noise of random points. A real shape counts as covered where its nearest catalogue shape is no farther than

    strict:  the median over real shapes of the distance to their nearest other real shape of the same sample,
    loose:   the median of the distances of all pairs of real shapes of the sample.

The strict radius is how near two real shapes come that are alike. By its definition half of a sample of real shapes
has another one of the sample within it, so with one catalogue shape for each real one, half is what a perfect copy of
the real distribution would reach; what more shapes of such a copy would reach is measured with other real shapes of the
same source. The loose radius is how far two real shapes are that have nothing but the category in common.
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import BadRequest
from ..representations import Mesh
from . import catalogue
from .catalogue.shape import generator
from .grids import Grid, read_grids
from .programs import Box3, execute, parse

Cells = NDArray[np.int32]
Distances = NDArray[np.float64]

#: Longest side of every shape, in model units.
LONGEST = 0.9
#: Surface points from which the cells of a shape are found: several for each cell.
POINTS = 12_000
_FACES = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
_FACES += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]


@dataclass(frozen=True)
class Source:
    """A set of real shapes.

    name: for the table; category: of the catalogue; file: in the shared folder; key: of the array of a grid file, or ""
    for an archive of programs; cells: along the longest side of a shape.
    """

    name: str
    category: str
    file: str
    key: str
    cells: int


MODELNET, PROGRAMS = "modelnet10/modelnet10_32.npz", "shapeassembly/{}_train.tar.xz"
SOURCES = (
    Source("ModelNet10 chairs", "chair", MODELNET, "chair", 24),
    Source("ShapeAssembly chairs", "chair", PROGRAMS.format("chair"), "", 40),
    Source("ModelNet10 tables", "table", MODELNET, "table", 24),
    Source("ModelNet10 desks", "table", MODELNET, "desk", 24),
    Source("ShapeAssembly tables", "table", PROGRAMS.format("table"), "", 40),
    Source("ModelNet10 dressers", "cabinet", MODELNET, "dresser", 24),
    Source("ModelNet10 night stands", "cabinet", MODELNET, "night_stand", 24),
    Source("ShapeAssembly storage", "cabinet", PROGRAMS.format("storage"), "", 40),
)


@dataclass(frozen=True, eq=False)
class Real:
    """A real shape: its surface cells, (K, 3), and its mesh for pictures."""

    cells: Cells
    mesh: Callable[[], Mesh]


@dataclass(frozen=True)
class Group:
    """Real shapes with one measured trait: how many there are and which share of them is covered (strict)."""

    trait: str
    shapes: int
    covered: float


@dataclass(frozen=True, eq=False)
class Coverage:
    """What was measured on one source.

    strict_radius, loose_radius: in squared model units; strict, loose: shares of the real shapes that are covered.
    real_to_catalogue: mean distance of real shapes to their nearest catalogue shape; catalogue_to_real: the reverse.
    others, strict_others: how many other real shapes of the source there were, and the share that they cover (strict);
    nan where there were none. between_real: mean distance of real shapes to their nearest other one.
    distances: (R, C), real to catalogue.
    """

    source: Source
    real: int
    made: int
    turn: int
    strict_radius: float
    loose_radius: float
    strict: float
    loose: float
    real_to_catalogue: float
    catalogue_to_real: float
    between_real: float
    others: int
    strict_others: float
    groups: tuple[Group, ...]
    distances: Distances

    @property
    def uncovered(self) -> NDArray[np.intp]:
        """Indices of the real shapes that are not covered by the strict reading, farthest first."""
        nearest = self.distances.min(1)
        far = np.flatnonzero(nearest > self.strict_radius)
        return far[np.argsort(-nearest[far])]


def surface_cells(points: NDArray, cells: int) -> Cells:
    """The lattice cells that a surface touches and that are seen from outside, as (K, 3) whole numbers up to cells + 1.

    points: on the surface, (N, 3), in any units; cells: along the longest side. The shape's middle is the lattice's.
    """
    low, high = points.min(0), points.max(0)
    size = (high - low).max()
    scaled = (points - (low + high) / 2) / size * cells
    # Points on the border belong to the cell inside.
    reach = (high - low) / size * cells / 2
    scaled = np.clip(scaled, -reach * (1 - 1e-6), reach * (1 - 1e-6))
    touched = np.zeros((cells + 2,) * 3, bool)
    touched[tuple(np.floor(scaled + (cells + 2) / 2).astype(np.int32).T)] = True
    return _seen(touched)


def chamfer_table(a: Sequence[Cells], b: Sequence[Cells], cells: int) -> Distances:
    """Chamfer distances of all shapes of ``a`` to all of ``b``, (A, B), in squared model units.

    a, b: surface cells, (K, 3) each, of a lattice with so many ``cells`` along the longest side.
    """
    there = _one_way(a, b, cells)
    back = there if a is b else _one_way(b, a, cells)
    return there + back.T


def measure(
    source: Source,
    shared: Path,
    shapes: Sequence[catalogue.Shape],
    count: int = 200,
    others: int = 0,
    on_progress: Callable[[str], None] = lambda text: None,
) -> tuple[Coverage, list[Real]]:
    """Measures how much of a source the catalogue covers; also returns the real shapes that were used.

    Args:
        source: one of `SOURCES`.
        shared: folder with the real data.
        shapes: of the catalogue, of the source's category.
        count: at most so many real shapes, drawn evenly by a fixed seed.
        others: at most so many real shapes besides them, as a yardstick for the catalogue.
        on_progress: receives what is being done.

    Raises:
        BadRequest: the data is not there, or there are fewer than two real shapes or no catalogue shapes.
    """
    real = list(_real(source, shared, count))
    if len(real) < 2 or not shapes:
        raise BadRequest(
            f"{len(real)} real and {len(shapes)} catalogue shapes; expected at least 2 and 1.", "Ask for more."
        )
    on_progress(f"{source.name}: {len(real)} real shapes")
    ours = [shape_cells(shape, source.cells) for shape in shapes]
    turn = best_turn([shape.cells for shape in real], ours, source.cells)
    real = [Real(_turned(shape.cells, turn, source.cells), _turned_mesh(shape.mesh, turn)) for shape in real]
    own = [shape.cells for shape in real]
    between = chamfer_table(own, own, source.cells)
    distances = chamfer_table(own, ours, source.cells)
    pairs = between[np.triu_indices(len(own), 1)]
    np.fill_diagonal(between, np.inf)
    neighbour, nearest = between.min(1), distances.min(1)
    strict, loose = float(np.median(neighbour)), float(np.median(pairs))
    covered = nearest <= strict
    more = [_turned(shape.cells, turn, source.cells) for shape in _real(source, shared, others, len(real))]
    reached = np.nan if not more else (chamfer_table(own, more, source.cells).min(1) <= strict).mean()
    return (
        Coverage(
            source=source,
            real=len(real),
            made=len(ours),
            turn=turn,
            strict_radius=strict,
            loose_radius=loose,
            strict=float(covered.mean()),
            loose=float((nearest <= loose).mean()),
            real_to_catalogue=float(nearest.mean()),
            catalogue_to_real=float(distances.min(0).mean()),
            between_real=float(neighbour.mean()),
            others=len(more),
            strict_others=float(reached),
            groups=_groups(own, covered),
            distances=distances,
        ),
        real,
    )


def shape_cells(shape: catalogue.Shape, cells: int) -> Cells:
    """The lattice cells that the surface of a catalogue shape touches, as `surface_cells`, from its distances."""
    step = LONGEST / cells
    centres = ((np.arange(cells + 2) - (cells + 1) / 2) * step).astype(np.float32)
    axes = centres[:, None, None], centres[None, :, None], centres[None, None, :]
    distance = np.full((cells + 2,) * 3, np.inf, np.float32)
    for part in shape.parts:
        np.minimum(distance, part.solid.distance(*axes), out=distance)
    # A plane touches a cell whose centre is within half of the cell's extent along the plane's normal.
    slopes = np.abs(np.stack(np.gradient(distance)))
    reach = 0.5 * step * slopes.sum(0) / np.maximum(np.linalg.norm(slopes, axis=0), 1e-9)
    # A face between two cells, as the outermost ones are, belongs to the one inside.
    touched = np.abs(distance + 1e-3 * step) <= np.clip(reach, 0.5 * step, 0.87 * step)
    for axis, (low, high) in enumerate(shape.bounds().T):
        outside = (centres + step / 2 < low + 1e-3 * step) | (centres - step / 2 > high - 1e-3 * step)
        np.moveaxis(touched, axis, 0)[outside] = False
    return _seen(touched)


def best_turn(real: Sequence[Cells], made: Sequence[Cells], cells: int) -> int:
    """Quarter turns about the vertical that bring a whole set of real shapes nearest to the catalogue's frame.

    It is chosen once for the set, never for a shape, by the mean distance to the nearest catalogue shape.
    """
    some, others = real[:: max(1, len(real) // 60)], made[:: max(1, len(made) // 120)]
    means = [
        chamfer_table([_turned(shape, turn, cells) for shape in some], others, cells).min(1).mean() for turn in range(4)
    ]
    return int(np.argmin(means))


def traits(shape: Cells) -> list[str]:
    """Simple measured traits of surface cells (K, 3): proportions, and how closed the front view is below and above."""
    low, high = shape.min(0), shape.max(0)
    width, depth, height = (high - low + 1).tolist()
    front = np.zeros((width, height), bool)
    front[shape[:, 0] - low[0], shape[:, 2] - low[2]] = True
    part = max(1, int(0.4 * height))
    below, above = front[:, :part].mean(), front[:, -part:].mean()
    return [
        _named(height / max(width, depth), ((0.55, "low"), (1.2, "medium height")), "tall"),
        _named(width / depth, ((0.85, "deep"), (1.25, "as wide as deep"), (1.9, "wide")), "very wide"),
        _named(float(below), ((0.35, "open below"), (0.75, "half closed below")), "closed below"),
        _named(float(above), ((0.5, "open above"), (0.85, "half closed above")), "closed above"),
    ]


def _groups(shapes: Sequence[Cells], covered: NDArray[np.bool_]) -> tuple[Group, ...]:
    found: dict[str, list[bool]] = {}
    for shape, is_covered in zip(shapes, covered, strict=True):
        for trait in traits(shape):
            found.setdefault(trait, []).append(bool(is_covered))
    return tuple(Group(trait, len(hits), sum(hits) / len(hits)) for trait, hits in sorted(found.items()))


def _named(value: float, limits: Sequence[tuple[float, str]], last: str) -> str:
    return next((name for limit, name in limits if value < limit), last)


def _real(source: Source, shared: Path, count: int, first: int = 0) -> Iterator[Real]:
    """So many shapes of the source, in an order that is drawn by a fixed seed, from the place ``first`` on."""
    path = shared / source.file
    if not path.is_file():
        raise BadRequest(
            f"There is no file {source.file} in {shared}.", "Name the folder with the real data by --shared."
        )
    if source.key:
        grids = read_grids(path, source.key, 1_000_000)
        for index in _chosen(len(grids), count, first):
            yield Real(_grid_cells(grids[index], source.cells), lambda grid=grids[index]: grid.mesh)
        return
    texts = read_programs(path)
    for index in _chosen(len(texts), count, first):
        boxes = execute(parse(texts[index]))
        yield Real(surface_cells(_box_points(boxes, index), source.cells), lambda boxes=tuple(boxes): boxes_mesh(boxes))


def read_programs(path: Path) -> list[str]:
    """The texts of a packed archive of programs, in the order of their names; nothing is written to the disk.

    Raises:
        BadRequest: not such an archive.
    """
    try:
        with tarfile.open(path, "r:xz") as archive:
            members = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
            return [file.read().decode("utf-8") for _, file in sorted(members.items()) if file is not None]
    except (OSError, tarfile.TarError, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"{path.name} cannot be read as a .tar.xz of texts.", "Fetch it again.", repr(error)
        ) from error


def boxes_mesh(boxes: Sequence[Box3]) -> Mesh:
    """Boxes as one mesh, one closed part each, with the longest side 0.9 and centred."""
    vertices = np.concatenate([box.corners() for box in boxes])
    low, high = vertices.min(0), vertices.max(0)
    vertices = (vertices - (low + high) / 2) / (high - low).max() * LONGEST
    faces = np.concatenate([np.array(_FACES) + 8 * i for i in range(len(boxes))])
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


def _chosen(total: int, count: int, first: int) -> list[int]:
    order = np.argsort(generator("coverage sample", total).random(total), kind="stable")
    return sorted(order[first : first + count].tolist())


def _grid_cells(grid: Grid, cells: int) -> Cells:
    """The full cells of a grid that touch an empty one, with the shape in the middle of the lattice."""
    full = np.pad(grid.occupancy, 1)
    index = np.argwhere(full & ~np.asarray(ndimage.binary_erosion(full), bool))
    low, high = index.min(0), index.max(0)
    size = high - low + 1
    if size.max() == cells:
        touched = np.zeros((cells + 2,) * 3, bool)
        touched[tuple((index - low + (cells + 2 - size) // 2).T)] = True
        return _seen(touched)
    corners = (index[:, None] + np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])).reshape(-1, 3)
    return surface_cells(corners.astype(float), cells)


def _box_points(boxes: Sequence[Box3], seed: int) -> NDArray[np.float64]:
    """Points on the surface of a union of boxes, evenly by area."""
    random = generator("coverage boxes", seed)
    sides = [(box, axis, end) for box in boxes for axis in range(3) for end in (-0.5, 0.5)]
    areas = np.array([np.delete(box.dims, axis).prod() for box, axis, _ in sides])
    counts = np.ceil(areas / areas.sum() * POINTS).astype(int)
    points, owners = [], []
    for number, ((box, axis, end), n) in enumerate(zip(sides, counts.tolist(), strict=True)):
        local = random.random((n, 3)) - 0.5
        local[:, axis] = end
        points.append(box.centre + (local * box.dims) @ box.axes.T)
        owners.append(np.full(n, number // 6))
    cloud, owner = np.concatenate(points), np.concatenate(owners)
    keep = np.ones(len(cloud), bool)
    slack = 1e-3 * np.ptp(cloud, axis=0).max()
    for number, box in enumerate(boxes):
        inside = (np.abs((cloud - box.centre) @ box.axes) < box.dims / 2 - slack).all(1)
        keep &= ~inside | (owner == number)
    return cloud[keep]


def _turned(shape: Cells, turn: int, cells: int) -> Cells:
    """Cells after quarter turns about the vertical."""
    last = cells + 1
    for _ in range(turn % 4):
        shape = np.stack([last - shape[:, 1], shape[:, 0], shape[:, 2]], 1)
    return shape


def _turned_mesh(mesh: Callable[[], Mesh], turn: int) -> Callable[[], Mesh]:
    def turned() -> Mesh:
        first = mesh()
        vertices = first.vertices
        for _ in range(turn % 4):
            vertices = np.stack([-vertices[:, 1], vertices[:, 0], vertices[:, 2]], 1)
        return Mesh(vertices, first.faces)

    return turned


def _packed(index: Cells, cells: int) -> NDArray[np.int64]:
    side = cells + 2
    return (index[:, 0].astype(np.int64) * side + index[:, 1]) * side + index[:, 2]


def _seen(touched: NDArray[np.bool_]) -> Cells:
    """The touched cells that can be seen from outside: what is inside a closed cabinet does not count.

    touched: (R, R, R), empty at its border.
    """
    regions = np.zeros(touched.shape, np.int32)
    ndimage.label(~touched, output=regions)
    outside = regions == regions[0, 0, 0]
    near = np.asarray(ndimage.binary_dilation(outside, np.ones((3, 3, 3), bool)), bool)
    return np.argwhere(touched & near).astype(np.int32)


def _one_way(a: Sequence[Cells], b: Sequence[Cells], cells: int) -> Distances:
    """Mean squared distance of the cells of each of ``a`` to the nearest of each of ``b``, (A, B)."""
    flat = np.concatenate([_packed(shape, cells) for shape in a])
    counts = np.array([len(shape) for shape in a])
    firsts = np.cumsum([0, *counts[:-1]])
    # Every cell that any shape asks for, once: shapes of one category share most of theirs.
    asked, place = np.unique(flat, return_inverse=True)
    result = np.empty((len(a), len(b)))
    unit = (LONGEST / cells) ** 2
    for column, shape in enumerate(b):
        empty = np.ones((cells + 2,) * 3, bool)
        empty[tuple(shape.T)] = False
        squared = np.asarray(ndimage.distance_transform_edt(empty)).ravel()[asked] ** 2
        result[:, column] = np.add.reduceat(squared[place], firsts) / counts * unit
    return result
