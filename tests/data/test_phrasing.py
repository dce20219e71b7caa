"""Free phrasing: what is written is understood, and what is said is true."""

from __future__ import annotations

import numpy as np
import pytest

from gen3d_core.data import catalogue, phrasing
from gen3d_core.data.catalogue.sayings import NUMBERS
from gen3d_core.data.catalogue.words import VOCABULARY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A wide table with four thin legs", "wide table four thin legs"),
        ("a skinny 4-legged barstool", "thin four legs tall stool"),
        ("Round pedestal table.", "round pedestal table"),
        ("office chair with a star base and arms", "chair star base star base armrests"),
        ("an armless sofa", "no armrests settee"),
        ("coffee tables without drawers", "low table no drawers"),
        ("two shelves, one drawer", "two shelf one drawers"),
        ("benches", "bench"),
        ("a backless armchair", "no back chair armrests"),
        ("6 legs", "six legs"),
    ],
)
def test_what_is_written_is_brought_onto_the_vocabulary(text: str, expected: str) -> None:
    reading = phrasing.read(text)
    assert reading.words == expected.split()
    assert reading.unknown == []
    assert set(reading.words) <= set(phrasing.WORDS)


def test_unknown_words_are_told_once_and_left_out() -> None:
    reading = phrasing.read("a gothic chair, gothic and baroque")
    assert reading.words == ["chair"]
    assert reading.unknown == ["gothic", "baroque"]
    assert phrasing.words("xyzzy") == []


def test_every_word_of_the_catalogue_is_understood() -> None:
    for word in VOCABULARY - phrasing.DROPPED:
        reading = phrasing.read(word)
        assert reading.words, word
        assert reading.unknown == []


def test_synonyms_mean_words_of_the_vocabulary() -> None:
    for said, meant in phrasing.SYNONYMS.items():
        assert set(meant.split()) <= set(phrasing.WORDS), said
        assert phrasing.words(said) == meant.split()


@pytest.mark.parametrize("category", sorted(catalogue.CATEGORIES))
def test_phrases_of_every_category_are_understood(category: str) -> None:
    random = np.random.default_rng(3)
    for seed in range(6):
        shape = catalogue.make(category, seed)
        for _ in range(4):
            said = phrasing.phrase(shape, random)
            reading = phrasing.read(said)
            assert reading.unknown == [], said
            assert reading.words, said


def test_phrases_are_many_and_each_says_the_kind() -> None:
    shape = catalogue.make("chair", 8)
    random = np.random.default_rng(0)
    said = [phrasing.phrase(shape, random) for _ in range(40)]
    assert len(set(said)) > 20
    assert all("chair" in phrasing.words(text) for text in said)
    again = np.random.default_rng(0)
    assert [phrasing.phrase(shape, again) for _ in range(40)] == said


def test_phrases_say_nothing_that_is_not_so() -> None:
    random = np.random.default_rng(1)
    for seed in range(30):
        shape = catalogue.make("chair", seed)
        facts = shape.attributes()
        for _ in range(6):
            words = phrasing.words(phrasing.phrase(shape, random))
            for first, second in zip(["", *words], words, strict=False):
                if second == "armrests":
                    assert (first == "no") == (facts["arms"] == 0)
                if second in ("back", "backrest"):
                    assert (first == "no") == (facts["back"] == "no")
                if second in ("tall", "low"):
                    assert facts["size"] == second
                if second == "legs" and first in NUMBERS:
                    assert NUMBERS.index(first) == facts["legs"]


def test_thickness_of_legs_is_that_of_the_legs() -> None:
    for seed in range(40):
        shape = catalogue.make("table", seed)
        legs = [part.solid.bounds() for part in shape.parts if part.label == "leg"]
        measured = phrasing.adjectives(shape)
        if shape.attributes()["base"] != "legs":
            assert not {"thin", "thick"} & set(measured)
        elif "thick" in measured:
            assert min(float((high - low)[:2].min()) for low, high in legs) > 0.06
        elif "thin" in measured:
            # A tapered or splayed leg's box is wider than the leg.
            assert min(float((high - low)[:2].min()) for low, high in legs) < 0.17


def test_wide_tables_are_wider_than_high() -> None:
    found = {"wide": 0, "narrow": 0}
    for seed in range(60):
        shape = catalogue.make("table", seed)
        low, high = shape.bounds()
        width, depth, height = (high - low).tolist()
        for word in set(phrasing.adjectives(shape)) & set(found):
            found[word] += 1
            assert width > 2 * height if word == "wide" else width < 1.2 * height or depth < 0.42 * width
    assert min(found.values()) > 3
