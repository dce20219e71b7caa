"""Autoregressive models: the chain rule by enumeration, causality by gradients, products by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from gen3d_core.families import autoregressive
from gen3d_core.nn.transformer import Transformer

PLACES, CODES = 3, 2


class Tiny(torch.nn.Module):
    """Logits of the code at each place of an order, by the transformer that systems use."""

    def __init__(self, places: int = PLACES, codes: int = CODES) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.codes = torch.nn.Embedding(codes + 1, 16)
        self.places = torch.nn.Embedding(places, 16)
        self.transformer = Transformer(2, 16, 2, 32)
        self.head = torch.nn.Linear(16, codes)
        torch.nn.init.normal_(self.head.weight)

    def forward(self, before: torch.Tensor, order: torch.Tensor, first: int = 0, cache=None) -> torch.Tensor:  # noqa: ANN001
        asked = self.places(order[:, first : first + before.shape[1]])
        return self.head(self.transformer(self.codes(before) + asked, cache))


def all_shapes() -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(CODES), repeat=PLACES)))


@pytest.mark.parametrize("order", list(itertools.permutations(range(PLACES))))
@torch.no_grad()
def test_probabilities_of_all_shapes_add_up_to_one_in_every_order(order: tuple[int, ...]) -> None:
    net, along = Tiny(), all_shapes()
    orders = torch.tensor(order).expand(len(along), -1)
    logits = net(autoregressive.shifted(along, CODES), orders)
    likelihood = (-PLACES * autoregressive.negative_log_likelihood(logits, along)).exp()
    assert float(likelihood.sum()) == pytest.approx(1, abs=1e-5)


@torch.no_grad()
def test_samples_come_as_often_as_they_are_likely() -> None:
    net, along = Tiny(), all_shapes()
    orders = torch.tensor([2, 0, 1])
    logits = net(autoregressive.shifted(along, CODES), orders.expand(len(along), -1))
    expected = (-PLACES * autoregressive.negative_log_likelihood(logits, along)).exp()
    count = 4000
    order = orders.expand(count, -1)
    cache = net.transformer.cache(count, PLACES, torch.device("cpu"))
    found = autoregressive.sample(
        lambda before, place: net(before, order, place, cache),
        torch.zeros(count, 0, dtype=torch.int64),
        PLACES,
        torch.rand(count, PLACES, generator=torch.Generator().manual_seed(1)),
        CODES,
        lambda logits, i: logits,
    )
    share = (found[:, None] == along).all(2).float().mean(0)
    # Three standard deviations of a share of 4000 draws.
    assert float((share - expected).abs().max()) < 3 * math.sqrt(0.25 / count)


@torch.no_grad()
def test_what_is_given_stays_and_decides_what_follows() -> None:
    net = Tiny(places=6, codes=4)
    order = torch.arange(6)[None]
    given = torch.tensor([[3, 1, 2]])
    numbers = torch.rand(1, 6, generator=torch.Generator().manual_seed(5))

    def drawn(start: torch.Tensor) -> torch.Tensor:
        cache = net.transformer.cache(1, 6, torch.device("cpu"))
        return autoregressive.sample(
            lambda before, place: net(before, order, place, cache), start, 6, numbers, 4, lambda logits, i: logits
        )

    whole = drawn(given)
    assert torch.equal(whole[:, :3], given)
    # One code after another without any memory: the same codes.
    codes = given
    for i in range(3, 6):
        before = torch.cat([torch.full((1, 1), 4), codes], dim=1)
        codes = torch.cat([codes, autoregressive.draw(net(before, order)[:, -1], numbers[:, i])[:, None]], dim=1)
    assert torch.equal(whole, codes)


def test_a_place_sees_itself_and_those_before_it_alone() -> None:
    torch.manual_seed(1)
    net = Transformer(3, 12, 3, 24)
    x = torch.randn(1, 7, 12, requires_grad=True)
    for place in range(7):
        # The last layer's normalisation makes the plain sum constant.
        (gradient,) = torch.autograd.grad(net(x)[0, place] @ torch.arange(12.0), x)
        reached = gradient[0].abs().sum(1) > 0
        assert reached.tolist() == [other <= place for other in range(7)]


@torch.no_grad()
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 1, 1, 3], [9], [2, 7]])
def test_with_its_memory_the_transformer_gives_what_it_gives_at_once(pieces: list[int]) -> None:
    torch.manual_seed(1)
    net = Transformer(3, 12, 3, 24)
    x = torch.randn(2, 9, 12)
    cache = net.cache(2, 9, torch.device("cpu"))
    found = torch.cat([net(piece, cache) for piece in x.split(pieces, dim=1)], dim=1)
    assert torch.allclose(found, net(x), atol=1e-5)
    assert cache.length == 9


def test_product_of_experts_by_hand() -> None:
    p, q = [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]
    mixed = [math.exp(0.75 * math.log(a) + 0.25 * math.log(b)) for a, b in zip(p, q, strict=True)]
    # Logits may be off by any constant.
    found = autoregressive.product(torch.tensor(p).log() + 3, torch.tensor(q).log() - 1, 0.25).exp()
    assert found.tolist() == pytest.approx([value / sum(mixed) for value in mixed], abs=1e-6)


def test_adding_what_an_expert_learnt_is_bayes_rule() -> None:
    """Two codes that are independent given the text: the expert's own word and its prior give the posterior."""
    prior, told = [0.6, 0.3, 0.1], [0.2, 0.5, 0.3]
    likelihood = [a / b for a, b in zip(told, prior, strict=True)]
    context = [0.25, 0.25, 0.5]
    posterior = [a * b for a, b in zip(context, likelihood, strict=True)]
    found = autoregressive.added(
        torch.tensor(context).log(), torch.tensor(told).log(), torch.tensor(prior).log(), 1.0
    ).exp()
    assert found.tolist() == pytest.approx([value / sum(posterior) for value in posterior], abs=1e-6)


def test_only_the_likeliest_are_drawn() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0]])
    kept = autoregressive.top_k(logits, 2)
    assert kept.isfinite().tolist() == [[False, True, False, True]]
    numbers = torch.linspace(0, 1, 101)[:-1]
    drawn = autoregressive.draw(kept.expand(len(numbers), -1), numbers)
    assert set(drawn.tolist()) == {1, 3}
    assert float((drawn == 1).float().mean()) == pytest.approx(math.exp(3) / (math.exp(3) + math.exp(2)), abs=0.02)
    assert torch.equal(autoregressive.top_k(logits, 9), logits)


def test_the_last_number_draws_the_last_possible_code() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf]])
    assert autoregressive.draw(logits, torch.tensor([1.0 - 2**-24])).tolist() == [1]


def test_orders_are_permutations_by_their_numbers() -> None:
    assert autoregressive.orders(torch.tensor([[0.3, 0.1, 0.2], [0.1, 0.2, 0.3]])).tolist() == [[1, 2, 0], [0, 1, 2]]
