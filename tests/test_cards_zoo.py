"""Models on disk: what is saved comes back, and what is damaged, unsafe or foreign is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gen3d_core import cards, memory, zoo
from gen3d_core.cards import CONFIG, WEIGHTS, Card
from gen3d_core.errors import BadModel, BadRequest, OutOfMemory, UnknownModel
from gen3d_core.run import Run
from gen3d_core.system import System
from gen3d_core.systems.voxels.vae import VoxelVAE

TINY = {"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3}


def tiny(seed: int = 0) -> System:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VoxelVAE.from_config(TINY)


def save(folder: Path, **changes: Any) -> Card:
    entries = {"title": "Tiny", "licence": "CC0-1.0", "data": "nothing", "readme": "# Tiny\n", **changes}
    return zoo.save(tiny(), folder, **entries)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save(tmp_path / "tiny")
    return tmp_path / "tiny"


def edit(folder: Path, **changes: Any) -> Path:
    """Rewrites entries of a card; None removes one."""
    values = json.loads((folder / CONFIG).read_text())
    values |= changes
    (folder / CONFIG).write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    return folder


def replace_weights(folder: Path, data: bytes) -> Path:
    """Other weights, with a card that vouches for them."""
    (folder / WEIGHTS).write_bytes(data)
    return edit(folder, sha256=zoo.digest(folder / WEIGHTS))


def test_a_saved_model_is_listed_found_and_loaded(model: Path) -> None:
    card = cards.find("tiny", [model.parent])
    assert (card.id, card.system, card.output, card.licence) == ("tiny", "voxels.vae", "Voxels", "CC0-1.0")
    assert card == cards.read(model)
    assert card in cards.listing([model.parent])
    assert cards.find(str(model)) == card
    assert {"latents", "encodes", "completes", "fits", "scores"} <= set(card.abilities)


def test_loaded_weights_are_the_saved_ones_in_half_precision(model: Path) -> None:
    loaded = zoo.load(cards.read(model))
    for name, value in tiny().state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], expected), name
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_a_loaded_model_is_saved_and_loaded_bit_equal(model: Path) -> None:
    first = zoo.load(cards.read(model))
    again = zoo.load(zoo.save(first, model.parent / "again", title="", licence="", data="", readme=""))
    assert first.config == again.config
    assert isinstance(first, VoxelVAE)
    assert isinstance(again, VoxelVAE)
    z = Run([4]).randn(3)
    assert torch.equal(first.decode(z, Run([4]))[0].values, again.decode(z, Run([4]))[0].values)


def test_an_existing_folder_is_refused_and_left_alone(model: Path) -> None:
    before = zoo.digest(model / WEIGHTS)
    with pytest.raises(BadRequest, match="exists already"):
        save(model)
    assert zoo.digest(model / WEIGHTS) == before
    assert [path.name for path in model.parent.iterdir()] == ["tiny"]


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save(tmp_path / "broken", readme=7)
    assert list(tmp_path.iterdir()) == []


def test_one_flipped_bit_is_noticed(model: Path) -> None:
    data = bytearray((model / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (model / WEIGHTS).write_bytes(data)
    with pytest.raises(BadModel, match="damaged or was replaced"):
        zoo.load(cards.read(model))


def test_missing_weights(model: Path) -> None:
    (model / WEIGHTS).unlink()
    with pytest.raises(BadModel, match="no weights file"):
        zoo.load(cards.read(model))


@pytest.mark.parametrize("length", [0, 4, 100, -10])
def test_truncated_weights_are_refused_even_with_the_right_hash(model: Path, length: int) -> None:
    replace_weights(model, (model / WEIGHTS).read_bytes()[:length])
    with pytest.raises(BadModel, match="do not fit"):
        zoo.load(cards.read(model))


class Bomb:
    """Something that would leave a trace if a pickle of it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "zip", "ascii"])
def test_pickles_are_refused_and_never_run(model: Path, tmp_path: Path, kind: str) -> None:
    trace = tmp_path / "exploded"
    if kind == "zip":
        torch.save({"a": Bomb(trace)}, tmp_path / "bomb.pt")
        data = (tmp_path / "bomb.pt").read_bytes()
    else:
        data = pickle.dumps(Bomb(trace), protocol=0 if kind == "ascii" else 4)
    replace_weights(model, data)
    with pytest.raises(BadModel, match="do not fit" if kind == "ascii" else "pickle"):
        zoo.load(cards.read(model))
    assert not trace.exists()


@pytest.mark.parametrize("change", ["missing", "extra", "size"])
def test_weights_of_another_network_are_refused(model: Path, change: str) -> None:
    weights = load_file(model / WEIGHTS)
    name = "network.posterior.weight"
    if change == "missing":
        del weights[name]
    elif change == "extra":
        weights["other"] = torch.zeros(2)
    else:
        weights[name] = torch.zeros(1, 2, 3)
    save_file(weights, model / WEIGHTS)
    edit(model, sha256=zoo.digest(model / WEIGHTS))
    with pytest.raises(BadModel, match="do not fit"):
        zoo.load(cards.read(model))


def test_an_unknown_config_key_is_refused_by_name(model: Path) -> None:
    edit(model, config={**TINY, "widht": 3})
    with pytest.raises(BadModel, match="unknown keys: widht"):
        zoo.load(cards.read(model))


@pytest.mark.parametrize("config", [{"hidden": "many"}, {"hidden": -1}, {"channels": [1]}, {"channels": 5}])
def test_config_values_that_build_nothing_are_refused(model: Path, config: dict[str, Any]) -> None:
    edit(model, config={**TINY, **config})
    with pytest.raises(BadModel, match="configuration"):
        zoo.load(cards.read(model))


@pytest.mark.parametrize("system", ["voxels.nothing", "nothing.vae", "os", "", "voxels..vae", "voxels.vae.x"])
def test_an_unknown_system_is_refused(model: Path, system: str) -> None:
    edit(model, system=system)
    with pytest.raises(BadModel, match="unknown system"):
        zoo.load(cards.read(model))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_damaged_card_is_refused(model: Path, text: str) -> None:
    (model / CONFIG).write_text(text)
    with pytest.raises(BadModel):
        cards.read(model)


def test_a_card_that_is_not_text_is_refused(model: Path) -> None:
    (model / CONFIG).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadModel, match="cannot be read"):
        cards.read(model)


def test_a_card_with_missing_or_unknown_entries_names_them(model: Path) -> None:
    edit(model, licence=None, colour="red")
    with pytest.raises(BadModel, match="colour, licence"):
        cards.read(model)


@pytest.mark.parametrize(
    "entry", [{"rank": "first"}, {"config": []}, {"sha256": 5}, {"system": []}, {"abilities": "all"}]
)
def test_entries_of_a_wrong_type_are_named(model: Path, entry: dict[str, Any]) -> None:
    edit(model, **entry)
    with pytest.raises(BadModel, match=f"wrong type: {next(iter(entry))}"):
        cards.read(model)


def test_listing_is_by_rank_then_name_and_passes_over_other_folders(tmp_path: Path) -> None:
    for name, rank in (("b", 901), ("a", 901), ("z", 900)):
        save(tmp_path / name, rank=rank)
    (tmp_path / "notes").mkdir()
    assert [card.id for card in cards.listing([tmp_path]) if card.rank in (900, 901)] == ["z", "a", "b"]


def test_the_first_zoo_wins_and_the_environment_adds_zoos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "one" / "same", title="first")
    save(tmp_path / "two" / "same", title="second")
    save(tmp_path / "two" / "other")
    monkeypatch.setenv(cards.ENVIRONMENT, str(tmp_path / "two"))
    assert cards.find("same").title == "second"
    assert cards.find("same", [tmp_path / "one"]).title == "first"
    assert cards.find("other", [tmp_path / "one"]).id == "other"


@pytest.mark.parametrize("name", ["", "nobody", "../tiny/../nobody"])
def test_unknown_models(model: Path, name: str) -> None:
    with pytest.raises(UnknownModel if "/" not in name else BadModel):
        cards.find(name, [model.parent])


def test_a_renamed_folder_is_the_model_of_its_new_name(model: Path) -> None:
    model.rename(model.parent / "renamed")
    assert cards.find("renamed", [model.parent]).id == "renamed"


def test_a_grid_beyond_the_memory_is_refused_with_one_that_fits() -> None:
    with pytest.raises(OutOfMemory, match="Resolution 100000 needs about") as refused:
        memory.require_grid(100_000)
    largest = int(refused.value.remedy.rstrip(".").split()[-1])
    assert 8 <= largest < 100_000
    memory.require_grid(8)
