"""The metrics against independent computations and hand-made cases."""

import itertools

import numpy as np
import pytest

from gen3d_core import metrics
from gen3d_core.metrics import P1, MeshQuality
from gen3d_core.representations import Mesh

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32) - 0.5
CUBE_FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ],
    np.int32,
)


def clouds(count: int, points: int, seed: int, centre: float = 0.0) -> list[np.ndarray]:
    """Balls of points, each with its own size, around ``centre``."""
    random = np.random.default_rng(seed)
    return [
        (centre + random.uniform(0.05, 0.2) * random.normal(size=(points, 3)) / 2).astype(np.float32)
        for _ in range(count)
    ]


def dense_chamfer(a: np.ndarray, b: np.ndarray) -> float:
    squares = ((a[:, None].astype(np.float64) - b[None]) ** 2).sum(-1)
    return squares.min(1).mean() + squares.min(0).mean()


def test_chamfer_is_the_dense_computation() -> None:
    a, b = clouds(1, 70, 1)[0], clouds(1, 90, 2)[0]
    assert metrics.chamfer(a, b) == pytest.approx(dense_chamfer(a, b), rel=1e-9)
    assert metrics.chamfer(a, b) == metrics.chamfer(b, a)
    assert metrics.chamfer(a, a) == 0


def test_chamfer_of_two_points_is_known() -> None:
    a, b = np.zeros((1, 3), np.float32), np.array([[3, 4, 0], [0, 0, 1]], np.float32)
    assert metrics.chamfer(a, b) == pytest.approx(1 + (25 + 1) / 2)


def test_pairwise_is_every_pair_also_with_different_numbers_of_points() -> None:
    a, b = [*clouds(3, 50, 1), *clouds(1, 7, 2)], [*clouds(2, 31, 3), *clouds(3, 64, 4)]
    expected = [[dense_chamfer(x, y) for y in b] for x in a]
    assert metrics.pairwise_chamfer(a, b) == pytest.approx(np.array(expected), rel=1e-9)
    assert metrics.pairwise_chamfer(a, b, workers=2) == pytest.approx(np.array(expected), rel=1e-9)


def test_pairwise_within_one_set_is_the_same_as_between_copies() -> None:
    a = clouds(5, 40, 1)
    within = metrics.pairwise_chamfer(a, a)
    assert within == pytest.approx(metrics.pairwise_chamfer(a, list(a)), rel=1e-12)
    assert np.array_equal(within, within.T)
    assert np.array_equal(np.diag(within), np.zeros(5))


def test_pairwise_reports_rising_fractions_and_stops_when_told() -> None:
    a, b = clouds(4, 20, 1), clouds(3, 20, 2)
    for other in (a, b):
        fractions: list[float] = []
        metrics.pairwise_chamfer(a, other, fractions.append)
        assert fractions == sorted(fractions)
        assert fractions[0] == 0
        assert fractions[-1] == 1

    class Stop(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise Stop

    with pytest.raises(Stop):
        metrics.pairwise_chamfer(a, b, stop)


def test_emd_is_the_best_of_all_permutations() -> None:
    for seed in range(5):
        a, b = clouds(2, 6, seed)
        lengths = np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=-1)
        best = min(lengths[np.arange(6), list(order)].mean() for order in itertools.permutations(range(6)))
        assert metrics.emd(a, b) == pytest.approx(best, rel=1e-9)


def test_emd_is_the_length_of_a_shift_and_ignores_the_order() -> None:
    a = clouds(1, 200, 1)[0]
    shifted = np.random.default_rng(0).permutation(a + np.array([3, 0, 4], np.float32))
    assert metrics.emd(a, shifted) == pytest.approx(5, rel=1e-5)
    assert metrics.emd(a, np.random.default_rng(0).permutation(a)) == 0


def test_emd_needs_equally_many_points() -> None:
    with pytest.raises(ValueError, match="6 and 7 points"):
        metrics.emd(clouds(1, 6, 1)[0], clouds(1, 7, 1)[0])


def test_mmd_and_coverage_by_hand() -> None:
    # Both samples lie nearest to the second reference; the first reference's nearest sample is at 4, the third's at 3.
    d_gr = np.array([[5.0, 1.0, 3.0], [4.0, 2.0, 9.0]])
    assert metrics.mmd(d_gr) == pytest.approx((4 + 1 + 3) / 3)
    assert metrics.coverage(d_gr) == pytest.approx(1 / 3)


def test_one_nna_by_hand() -> None:
    # On a line: generated at 0, 1 and 10; reference at 3, 10.5 and 12. Nearest others: 1 (own), 0 (own), 10.5 (other);
    # 1 (other), 10 (other), 10.5 (own). Three of six.
    g, r = np.array([0, 1, 10.0]), np.array([3, 10.5, 12])
    between = [abs(a[:, None] - b[None]) for a, b in ((g, g), (g, r), (r, r))]
    assert metrics.one_nna(*between) == pytest.approx(3 / 6)


def test_one_nna_of_ties_depends_neither_on_order_nor_on_which_set_is_which() -> None:
    # The middle one is as near to its own as to the other: half a success. The outer ones are nearest to it.
    g, r = np.array([0.0, 1.0]), np.array([2.0])
    for permuted in (g, g[::-1]):
        gg, gr, rr = (abs(a[:, None] - b[None]) for a, b in ((permuted, permuted), (permuted, r), (r, r)))
        assert metrics.one_nna(gg, gr, rr) == pytest.approx((1 + 0.5 + 0) / 3)
        assert metrics.one_nna(rr, gr.T, gg) == pytest.approx((1 + 0.5 + 0) / 3)


def test_one_nna_leaves_its_arguments_alone() -> None:
    gg, gr, rr = np.zeros((2, 2)), np.ones((2, 2)), np.zeros((2, 2))
    metrics.one_nna(gg, gr, rr)
    assert np.array_equal(gg, np.zeros((2, 2)))


def test_distances_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        metrics.one_nna(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="expected"):
        metrics.mmd(np.zeros((0, 3)))


def test_jsd_of_equal_and_of_disjoint_sets() -> None:
    left, right = clouds(3, 100, 1, centre=-0.05), clouds(3, 100, 1, centre=0.05)
    assert metrics.jsd(left, left) == 0
    apart = [cloud * 0.1 + 0.25 for cloud in left]
    assert metrics.jsd([cloud * 0.1 - 0.25 for cloud in left], apart) == pytest.approx(1)
    assert 0 < metrics.jsd(left, right) < 1
    assert metrics.jsd(left, right) == pytest.approx(metrics.jsd(right, left))


def test_jsd_by_hand() -> None:
    # Two nodes; the first set is all at one, the second half and half: JSD = H(3/4, 1/4) - H(1/2, 1/2) / 2.
    axis = np.linspace(-0.5, 0.5, 28)[[13, 14]].astype(np.float32)
    one, two = np.full((4, 3), axis[0]), np.repeat(axis, 6).reshape(4, 3)
    expected = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)) - 0.5
    assert metrics.jsd([one], [two]) == pytest.approx(expected)


def test_jsd_counts_at_the_nearest_node_of_the_ball() -> None:
    # A corner of the cube lies outside the ball of nodes; it counts at a node of the ball's border in its direction.
    inward = np.full((1, 3), 0.5 / 3**0.5 * 0.99, np.float32)
    assert metrics.jsd([np.full((1, 3), 0.5, np.float32)], [inward]) < 1e-9
    random = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 300, 3)).astype(np.float32)
    nodes = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    nodes = nodes[(nodes**2).sum(1) <= 0.25]
    p, q = (np.bincount(((c[:, None] - nodes) ** 2).sum(-1).argmin(1), minlength=len(nodes)) / 300 for c in random)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = (np.nansum(p * np.log2(p / middle)) + np.nansum(q * np.log2(q / middle))) / 2
    assert metrics.jsd([random[0]], [random[1]], resolution=6) == pytest.approx(divergence, rel=1e-9)


def test_p1_is_one_mean_per_axis_and_one_deviation() -> None:
    training = [cloud * np.array([1, 2, 3], np.float32) + np.array([1, 0, 0], np.float32) for cloud in clouds(4, 50, 1)]
    scale = P1.of(training)
    flat = np.concatenate(training).astype(np.float64)
    assert scale.mean == pytest.approx(flat.mean(0))
    assert scale.std == pytest.approx(np.sqrt(((flat - flat.mean()) ** 2).mean()))
    normalised = np.concatenate(metrics.normalise_p1(training, scale.mean, scale.std))
    assert normalised.dtype == np.float32
    assert normalised.mean(0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert normalised * scale.std + scale.mean == pytest.approx(flat, abs=1e-6)


def test_iou() -> None:
    a, b = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    assert metrics.iou(a, b) == 1
    a[:2], b[1:3] = True, True
    assert metrics.iou(a, b) == pytest.approx(1 / 3)
    assert metrics.iou(a, ~a) == 0
    with pytest.raises(ValueError, match="bool"):
        metrics.iou(a, b[:2])
    with pytest.raises(ValueError, match="bool"):
        metrics.iou(a.astype(float), b)


def test_samples_from_the_same_distribution_score_well_and_foreign_ones_badly() -> None:
    reference, alike, foreign = clouds(30, 64, 1), clouds(30, 64, 2), clouds(30, 64, 3, centre=0.3)
    good, bad = metrics.compare(alike, reference), metrics.compare(foreign, reference)
    assert 0.3 < good.one_nna < 0.7
    assert bad.one_nna == 1
    assert good.coverage > 0.4 > bad.coverage
    assert good.mmd < bad.mmd / 10
    assert good.jsd < bad.jsd


def test_the_reference_itself_as_samples_is_recognised_as_a_copy() -> None:
    reference = clouds(12, 32, 1)
    scores = metrics.compare([cloud.copy() for cloud in reference], reference)
    assert scores == metrics.SetScores(mmd=0.0, coverage=1.0, one_nna=0.0, jsd=0.0)


def test_one_sample_repeated_covers_one_shape() -> None:
    reference = clouds(10, 32, 1)
    scores = metrics.compare([reference[0]] * 10, reference)
    assert scores.coverage == pytest.approx(1 / 10)
    assert scores.mmd > 0


def test_compare_at_a_scale_changes_mmd_by_its_square_and_nothing_else() -> None:
    reference, samples = clouds(8, 40, 1), clouds(8, 40, 2)
    plain = metrics.compare(samples, reference)
    scaled = metrics.compare(samples, reference, scale=P1(np.array([0.1, 0.2, 0.3]), 0.25))
    assert scaled.mmd == pytest.approx(plain.mmd * 16, rel=1e-4)
    assert (scaled.coverage, scaled.one_nna, scaled.jsd) == (plain.coverage, plain.one_nna, plain.jsd)


def test_compare_takes_known_distances_and_reports_progress() -> None:
    reference, samples = clouds(6, 30, 1), clouds(6, 30, 2)
    known = metrics.pairwise_chamfer(reference, reference)
    expected = metrics.compare(samples, reference)
    for d_rr in (None, known):
        fractions: list[float] = []
        assert metrics.compare(samples, reference, d_rr=d_rr, on_progress=fractions.append) == expected
        assert fractions == sorted(fractions)
        assert fractions[-1] == pytest.approx(1)
    with pytest.raises(ValueError, match="equal size"):
        metrics.compare(samples[:4], reference)


@pytest.mark.parametrize("cloud", [np.zeros((0, 3)), np.zeros((4, 2)), np.full((4, 3), np.nan)])
def test_what_is_not_a_cloud_is_refused(cloud: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        metrics.chamfer(cloud.astype(np.float32), clouds(1, 4, 1)[0])


def test_no_clouds_are_refused() -> None:
    with pytest.raises(ValueError, match="no clouds"):
        metrics.pairwise_chamfer([], clouds(2, 4, 1))


def test_quality_of_a_cube() -> None:
    quality = metrics.mesh_quality(Mesh(CUBE, CUBE_FACES))
    assert quality == MeshQuality(
        closed=True,
        consistent=True,
        boundary_edges=0,
        nonmanifold_edges=0,
        components=1,
        largest_share=1.0,
        degenerate_faces=0,
        euler=2,
        volume=pytest.approx(1.0),
    )


def test_quality_of_a_cube_turned_inside_out_has_a_negative_volume() -> None:
    quality = metrics.mesh_quality(Mesh(CUBE, CUBE_FACES[:, ::-1].copy()))
    assert (quality.closed, quality.consistent) == (True, True)
    assert quality.volume == pytest.approx(-1)


def test_quality_sees_a_hole_and_a_flipped_face() -> None:
    open_cube = metrics.mesh_quality(Mesh(CUBE, CUBE_FACES[1:]))
    assert (open_cube.closed, open_cube.consistent, open_cube.boundary_edges) == (False, True, 3)
    flipped = CUBE_FACES.copy()
    flipped[0] = flipped[0, ::-1]
    quality = metrics.mesh_quality(Mesh(CUBE, flipped))
    assert (quality.closed, quality.consistent) == (True, False)


def test_quality_sees_edges_of_three_faces_and_faces_without_area() -> None:
    fin = Mesh(np.concatenate([CUBE, np.float32([[1, 1, 1]])]), np.concatenate([CUBE_FACES, np.int32([[0, 1, 8]])]))
    quality = metrics.mesh_quality(fin)
    assert (quality.closed, quality.nonmanifold_edges, quality.boundary_edges) == (False, 1, 2)
    line = Mesh(CUBE, np.concatenate([CUBE_FACES, np.int32([[0, 0, 1]])]))
    assert metrics.mesh_quality(line).degenerate_faces == 1
    assert metrics.mesh_quality(Mesh(CUBE, CUBE_FACES)).degenerate_faces == 0


def test_quality_counts_components_by_area() -> None:
    both = Mesh(np.concatenate([CUBE, CUBE / 3 + 5]), np.concatenate([CUBE_FACES, CUBE_FACES + 8]))
    quality = metrics.mesh_quality(both)
    assert (quality.components, quality.euler) == (2, 4)
    assert quality.largest_share == pytest.approx(0.9)
    assert quality.volume == pytest.approx(1 + 1 / 27)


def test_quality_of_a_ring_has_one_handle_and_ignores_unused_vertices() -> None:
    u, v = np.meshgrid(np.arange(12) * np.pi / 6, np.arange(8) * np.pi / 4, indexing="ij")
    radius = 0.3 + 0.1 * np.cos(v)
    vertices = np.stack([radius * np.cos(u), radius * np.sin(u), 0.1 * np.sin(v)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(12), np.arange(8), indexing="ij")
    a, b, c, d = (((i + x) % 12 * 8 + (j + y) % 8).ravel() for x, y in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    unused = np.full((3, 3), 9.0)
    quality = metrics.mesh_quality(Mesh(np.concatenate([vertices, unused]).astype(np.float32), faces))
    assert (quality.closed, quality.consistent, quality.euler) == (True, True, 0)
    assert quality.volume > 0
