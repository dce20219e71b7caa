"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """The same number of threads everywhere: sums depend on how they are split."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def accelerator_anew() -> Iterator[None]:
    """Each training of a test as in a process of its own."""
    from tests.training_toys import forget_accelerator  # slow to import, and most tests train nothing

    forget_accelerator()
    yield
    forget_accelerator()


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor fill the user's cache of prepared assets."""
    monkeypatch.setenv("GEN3D_CACHE", "off")
