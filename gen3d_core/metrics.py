"""The metrics of the field, one copy: distances of clouds, how well a set resembles a set, how sound a mesh is.

Between clouds ``X`` and ``Y``:

    CD(X, Y)  = mean_x min_y |x - y|^2 + mean_y min_x |x - y|^2
    EMD(X, Y) = min over bijections f of mean_x |x - f(x)|

Of a set ``G`` of generated shapes against a set ``R`` of as many unseen ones, with a distance ``D``:

    MMD   = mean over R of min over G of D                      how near the best samples come
    COV   = share of R that is the nearest of some sample       how much of the variety they reach
    1-NNA = accuracy of telling G from R by the nearest other   1/2 is ideal; 1 is separable; less is copied
    JSD   = divergence in bits of where the points are          blind to single shapes

Other variants of these, with other powers, means and scales, differ by orders of magnitude: compare numbers only with
numbers from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from .representations import Mesh

Cloud = NDArray[np.float32]
Distances = NDArray[np.float64]

#: A face is degenerate below this share of the squared diagonal of the mesh.
DEGENERATE = 1e-12
# Timed: with leaves of this size, points in tree order and all clouds in one query, a pair takes 2/3 of the time.
LEAF = 32


@dataclass(frozen=True)
class SetScores:
    """How generated clouds compare with reference clouds.

    Args:
        mmd: minimum matching distance by Chamfer distance, lower is better.
        coverage: in [0, 1], higher is better.
        one_nna: in [0, 1]; 0.5 is ideal.
        jsd: in bits, in [0, 1], lower is better.
    """

    mmd: float
    coverage: float
    one_nna: float
    jsd: float


@dataclass(frozen=True)
class P1:
    """The scale at which Chamfer distances are taken: a whole category's, so that sizes and proportions count.

    As PointFlow (Yang et al., 2019) does: the mean is per axis; the deviation is one number, that of all coordinates
    of all points together about their one common mean, so that shapes are not distorted.

    Args:
        mean: with shape (3,), in model units.
        std: in model units.
    """

    mean: NDArray[np.float64]
    std: float

    @classmethod
    def of(cls, clouds: Sequence[Cloud]) -> P1:
        """Measured on clouds (N, 3), of training shapes."""
        points = np.concatenate(_checked(clouds)).astype(np.float64)
        return cls(points.mean(0), float(points.std()))


def normalise_p1(clouds: Sequence[Cloud], mean: NDArray[np.float64], std: float) -> list[Cloud]:
    """Clouds (N, 3) with the training set's mean (3,) at the origin and its deviation as unit; see :class:`P1`."""
    return [((cloud - mean) / std).astype(np.float32) for cloud in clouds]


def chamfer(a: Cloud, b: Cloud) -> float:
    """Squared Chamfer distance of clouds (N, 3) and (M, 3): means over points, the sum of both directions."""
    a, b = _checked([a, b])
    there, _ = KDTree(b).query(a)
    back, _ = KDTree(a).query(b)
    return float(np.mean(there**2) + np.mean(back**2))


def pairwise_chamfer(
    a: Sequence[Cloud],
    b: Sequence[Cloud],
    on_progress: Callable[[float], None] | None = None,
    workers: int = 1,
) -> Distances:
    """Chamfer distances of every cloud of ``a`` to every one of ``b``, with shape (len(a), len(b)).

    Args:
        a, b: clouds, each with shape (N, 3); N may differ. Where both are the same object, half the work is done.
        on_progress: receives fractions from 0 to 1; what it raises ends the computation.
        workers: threads; -1 is one per processor.
    """
    report = on_progress or (lambda fraction: None)
    trees = [KDTree(cloud, leafsize=LEAF) for cloud in _checked(a)]
    if a is b:
        ways = _one_way(trees, trees, report, workers)
        return ways + ways.T
    others = [KDTree(cloud, leafsize=LEAF) for cloud in _checked(b)]
    there = _one_way(trees, others, lambda fraction: report(fraction / 2), workers)
    back = _one_way(others, trees, lambda fraction: report((1 + fraction) / 2), workers)
    return there + back.T


def emd(a: Cloud, b: Cloud) -> float:
    """Exact earth mover's distance of clouds (N, 3) of equal size: the mean length of the best one-to-one matching.

    The time grows with the cube of N: 0.02 s for 512 points, 0.6 s for 2048.
    """
    a, b = _checked([a, b])
    if len(a) != len(b):
        raise ValueError(f"Clouds have {len(a)} and {len(b)} points; a one-to-one matching needs equally many.")
    lengths = cdist(a, b)
    return float(lengths[linear_sum_assignment(lengths)].mean())


def mmd(d_gr: Distances) -> float:
    """Minimum matching distance from distances (G, R) of generated to reference shapes."""
    return float(_table(d_gr).min(axis=0).mean())


def coverage(d_gr: Distances) -> float:
    """Share of the reference that is nearest to some generated shape, from distances (G, R)."""
    nearest = _table(d_gr).argmin(axis=1)
    return len(np.unique(nearest)) / d_gr.shape[1]


def one_nna(d_gg: Distances, d_gr: Distances, d_rr: Distances) -> float:
    """Leave-one-out accuracy of the nearest neighbour in telling generated from reference shapes.

    A shape with several equally near neighbours counts by the share of them that is of its own set, so the order of the
    shapes and which set comes first do not matter.

    Args:
        d_gg, d_gr, d_rr: distances with shapes (G, G), (G, R) and (R, R).
    """
    g, r = _table(d_gr).shape
    if d_gg.shape != (g, g) or d_rr.shape != (r, r):
        raise ValueError(f"Distances have shapes {d_gg.shape}, {d_gr.shape} and {d_rr.shape}; they do not fit.")
    if g + r < 3:
        raise ValueError("One shape of each set is too few; a leave-one-out accuracy needs at least three.")
    distances = np.block([[d_gg, d_gr], [d_gr.T, d_rr]])
    np.fill_diagonal(distances, np.inf)
    generated = np.arange(g + r) < g
    nearest = distances == distances.min(axis=1, keepdims=True)
    own = nearest & (generated[:, None] == generated)
    return float((own.sum(axis=1) / nearest.sum(axis=1)).mean())


def jsd(clouds_a: Sequence[Cloud], clouds_b: Sequence[Cloud], resolution: int = 28) -> float:
    """Jensen-Shannon divergence, in bits, of where the points of two sets of clouds lie.

    As Achlioptas et al. (2018) count: each point goes to the nearest node of a grid over [-0.5, 0.5]^3, of which only
    the nodes within the inscribed ball are kept. So clouds are to be in model units, not normalised.

    Args:
        clouds_a, clouds_b: clouds, each with shape (N, 3).
        resolution: nodes along one side.
    """
    axis = np.linspace(-0.5, 0.5, resolution)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    tree = KDTree(nodes[np.linalg.norm(nodes, axis=1) <= 0.5])

    def histogram(clouds: Sequence[Cloud]) -> NDArray[np.float64]:
        _, node = tree.query(np.concatenate(_checked(clouds)))
        counts = np.bincount(node, minlength=tree.n)
        return counts / counts.sum()

    p, q = histogram(clouds_a), histogram(clouds_b)
    return min(max(_entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2, 0.0), 1.0)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two occupancies of equal shape; 1 where both are empty."""
    if a.shape != b.shape or a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"Got {a.dtype} {a.shape} and {b.dtype} {b.shape}; expected two bool arrays of one shape.")
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def compare(
    generated: Sequence[Cloud],
    reference: Sequence[Cloud],
    scale: P1 | None = None,
    d_rr: Distances | None = None,
    on_progress: Callable[[float], None] | None = None,
    workers: int = 1,
) -> SetScores:
    """All scores of a set, by Chamfer distance.

    Args:
        generated, reference: as many clouds in each, each with shape (N, 3), in model units.
        scale: at which the Chamfer distances are taken; None leaves them in model units. JSD is always in model units.
        d_rr: distances (R, R) within the reference at this scale, where they are known already.
        on_progress, workers: see :func:`pairwise_chamfer`.
    """
    if len(generated) != len(reference):
        raise ValueError(f"{len(generated)} and {len(reference)} clouds; coverage needs sets of equal size.")
    report = on_progress or (lambda fraction: None)
    g, r = [cloud if scale is None else normalise_p1(cloud, scale.mean, scale.std) for cloud in (generated, reference)]
    # Within one set one way is half the work: it is done for both ways at once.
    share = 0.25 if d_rr is None else 1 / 3
    d_gg = pairwise_chamfer(g, g, lambda fraction: report(share * fraction), workers)
    d_gr = pairwise_chamfer(g, r, lambda fraction: report(share * (1 + 2 * fraction)), workers)
    if d_rr is None:
        d_rr = pairwise_chamfer(r, r, lambda fraction: report(share * (3 + fraction)), workers)
    return SetScores(mmd(d_gr), coverage(d_gr), one_nna(d_gg, d_gr, d_rr), jsd(generated, reference))


@dataclass(frozen=True)
class MeshQuality:
    """What an artist would have to repair.

    Args:
        closed: every edge has exactly two faces.
        consistent: wherever two faces share an edge, they run through it in opposite directions.
        boundary_edges: edges of one face.
        nonmanifold_edges: edges of more than two faces.
        components: parts that share no vertex.
        largest_share: of the largest component in the area, in (0, 1].
        degenerate_faces: faces without area, or with less than ``DEGENERATE`` of the squared diagonal.
        euler: vertices - edges + faces; 2 for a ball, less 2 for every handle.
        volume: enclosed, in model units cubed; negative where faces look inward. Meaningful where closed.
    """

    closed: bool
    consistent: bool
    boundary_edges: int
    nonmanifold_edges: int
    components: int
    largest_share: float
    degenerate_faces: int
    euler: int
    volume: float


def mesh_quality(mesh: Mesh) -> MeshQuality:
    """Measures a mesh; vertices that no face uses do not count."""
    starts, ends = mesh.faces.reshape(-1).astype(np.int64), np.roll(mesh.faces, -1, axis=1).reshape(-1).astype(np.int64)
    # A face that names one vertex twice has an edge of no length, which is none.
    proper = starts != ends
    starts, ends = starts[proper], ends[proper]
    edge = np.minimum(starts, ends) * len(mesh.vertices) + np.maximum(starts, ends)
    _, of_side, uses = np.unique(edge, return_inverse=True, return_counts=True)
    surplus = np.bincount(of_side, np.where(starts < ends, 1, -1), len(uses))
    boundary, nonmanifold = int((uses == 1).sum()), int((uses > 2).sum())
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    diagonal = np.ptp(corners.reshape(-1, 3), axis=0)
    _, shares = mesh.components()
    a, b, c = (corners - corners.reshape(-1, 3).mean(0)).transpose(1, 0, 2)
    return MeshQuality(
        closed=boundary == 0 and nonmanifold == 0,
        consistent=bool((surplus[uses == 2] == 0).all()),
        boundary_edges=boundary,
        nonmanifold_edges=nonmanifold,
        components=len(shares),
        largest_share=float(shares.max()),
        degenerate_faces=int((mesh.face_areas() < DEGENERATE * (diagonal @ diagonal)).sum()),
        euler=len(np.unique(mesh.faces)) - len(uses) + len(mesh.faces),
        volume=float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6),
    )


def _one_way(
    trees: Sequence[KDTree], others: Sequence[KDTree], report: Callable[[float], None], workers: int
) -> Distances:
    """Mean squared distance of the points of each of ``others`` to each of ``trees``, with shape (trees, others)."""
    # Points in the order of a tree are near one another, so one search finds in the cache what the last one read.
    points = np.concatenate([other.data[other.indices] for other in others])
    firsts = np.cumsum([0, *(other.n for other in others[:-1])])
    counts = np.array([other.n for other in others])
    result = np.empty((len(trees), len(others)))
    for i, tree in enumerate(trees):
        report(i / len(trees))
        distances, _ = tree.query(points, workers=workers)
        result[i] = np.add.reduceat(distances**2, firsts) / counts
    report(1.0)
    return result


def _checked(clouds: Sequence[Cloud]) -> Sequence[Cloud]:
    if not len(clouds):
        raise ValueError("There are no clouds; expected at least one.")
    for cloud in clouds:
        if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud) or not np.isfinite(cloud).all():
            raise ValueError(f"A cloud has shape {cloud.shape}; expected (N, 3), N > 0, and finite coordinates.")
    return clouds


def _table(d_gr: Distances) -> Distances:
    if d_gr.ndim != 2 or 0 in d_gr.shape:
        raise ValueError(f"Distances have shape {d_gr.shape}; expected (G, R), neither 0.")
    return d_gr


def _entropy(p: NDArray[np.float64]) -> float:
    """In bits."""
    full = p[p > 0]
    return float(-(full * np.log2(full)).sum())
