"""Vector quantisation against brute force, autograd and means by hand."""

from __future__ import annotations

import pytest
import torch

from gen3d_core.families import vq


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_code_is_the_one_that_brute_force_finds() -> None:
    z, vectors = drawn(200, 7), drawn(30, 7, seed=1)
    expected = [min(range(30), key=lambda k, one=one: float((one - vectors[k]).norm())) for one in z]
    assert vq.nearest(z, vectors).tolist() == expected


def test_autocast_does_not_choose_other_codes() -> None:
    """Vectors far from the origin and near one another: in half precision all would be one."""
    generator = torch.Generator().manual_seed(1)
    vectors = 100 + torch.randn(32, 8, generator=generator)
    z = vectors + 0.01 * torch.randn(32, 8, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(vq.nearest(z, vectors), torch.arange(32))


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other() -> None:
    z = drawn(5, 3).requires_grad_(True)
    quantised = drawn(5, 3, seed=1).requires_grad_(True)
    passed = vq.straight_through(z, quantised)
    assert torch.allclose(passed, quantised, atol=1e-6)
    weights = drawn(5, 3, seed=2)
    (weights * passed).sum().backward()
    assert torch.equal(z.grad, weights)  # type: ignore[arg-type]
    assert quantised.grad is None


def test_commitment_moves_vectors_and_the_codebook_loss_moves_codes() -> None:
    z = drawn(5, 3).requires_grad_(True)
    quantised = drawn(5, 3, seed=1).requires_grad_(True)
    distance = float((z - quantised).detach().pow(2).mean())
    vq.commitment(z, quantised).backward()
    assert torch.allclose(z.grad, 2 * (z - quantised).detach() / 15)  # type: ignore[arg-type]
    assert quantised.grad is None
    z.grad = None
    loss = vq.codebook_loss(z, quantised)
    loss.backward()
    assert z.grad is None
    assert torch.allclose(quantised.grad, 2 * (quantised - z).detach() / 15)  # type: ignore[arg-type]
    assert float(loss.detach()) == pytest.approx(distance)


def test_running_means_by_hand() -> None:
    book = vq.Codebook(2, 1, decay=0.75)
    book.vectors.copy_(torch.tensor([[0.0], [10.0]]))
    book.counts.copy_(torch.tensor([4.0, 2.0]))
    book.sums.copy_(torch.tensor([[0.0], [20.0]]))
    z = torch.tensor([[1.0], [2.0], [3.0], [11.0]])
    book.follow(z, book.encode(z))
    # Counts 0.75 * (4, 2) + 0.25 * (3, 1); sums 0.75 * (0, 20) + 0.25 * (6, 11).
    assert book.counts.tolist() == [3.75, 1.75]
    assert book.sums.flatten().tolist() == [1.5, 17.75]
    assert book.vectors.flatten().tolist() == pytest.approx([1.5 / 3.75, 17.75 / 1.75], rel=1e-4)


def test_running_means_are_those_of_all_processes() -> None:
    z = drawn(40, 3)
    alone, shared = (vq.Codebook(4, 3, decay=0.5) for _ in range(2))
    shared.load_state_dict(alone.state_dict())
    codes = alone.encode(z)
    alone.follow(z, codes)
    # What the other process has gathered, which the sum over processes adds.
    others = iter([torch.bincount(codes[20:], minlength=4).float(), torch.zeros(4, 3).index_add(0, codes[20:], z[20:])])
    shared.follow(z[:20], codes[:20], lambda values: values + next(others))
    assert torch.allclose(alone.vectors, shared.vectors, atol=1e-6)


def test_running_means_lead_to_the_means_of_the_clusters() -> None:
    centres = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    book = vq.Codebook(3, 2, decay=0.9)
    book.vectors.copy_(centres + 0.8)
    for step in range(120):
        z = (centres[:, None] + 0.1 * drawn(3, 50, 2, seed=step)).flatten(0, 1)
        book.follow(z, book.encode(z))
    assert torch.allclose(book.vectors, centres, atol=0.03)


def test_kmeans_finds_far_clusters() -> None:
    centres = 20 * drawn(6, 4)
    z = (centres[:, None] + 0.1 * drawn(6, 40, 4, seed=1)).flatten(0, 1)
    found = vq.kmeans(z, torch.rand(6, generator=torch.Generator().manual_seed(2)))
    assert len(set(vq.nearest(centres, found).tolist())) == 6
    assert float((found[vq.nearest(centres, found)] - centres).norm(dim=1).max()) < 0.2


def test_a_dead_code_moves_to_a_badly_represented_vector() -> None:
    book = vq.Codebook(3, 2, decay=0.9)
    book.vectors.copy_(torch.tensor([[0.0, 0.0], [100.0, 100.0], [1.0, 0.0]]))
    book.counts.copy_(torch.tensor([5.0, 0.01, 5.0]))
    book.sums.copy_(book.vectors * book.counts[:, None])
    # All vectors are represented exactly, but one.
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [7.0, 7.0], [0.0, 0.0]])
    dead = book.revive(z, book.encode(z), torch.rand(3, generator=torch.Generator().manual_seed(0)))
    assert dead.tolist() == [False, True, False]
    assert book.vectors.tolist() == [[0.0, 0.0], [7.0, 7.0], [1.0, 0.0]]
    assert book.counts[1] == 1


def test_codes_learnt_by_gradients_are_parameters() -> None:
    assert [name for name, _ in vq.Codebook(4, 2, decay=0.0).named_parameters()] == ["vectors"]
    assert list(vq.Codebook(4, 2, decay=0.9).parameters()) == []
