"""Every category of the catalogue: the same everywhere, of one piece, varied in structure, described truly."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections import Counter

import igl
import numpy as np
import pytest
import trimesh
from skimage.measure import label

from gen3d_core.data.catalogue import CATEGORIES, Shape, airplane, cabinet, car, category_module, lamp, make, mug, vase
from gen3d_core.data.catalogue.members import Draw
from gen3d_core.data.catalogue.shape import generator
from gen3d_core.data.catalogue.words import VOCABULARY, attributes, sentence

#: Of each category, and those of quick tests.
SEEDS, FEW = range(12), range(2)
#: Checksums of rounded parameters: a change here changes every data set made so far.
RECORDED: dict[tuple[str, int], int] = {
    ("chair", 0): 0x6A59D6CA,
    ("chair", 7): 0xA3FA1EA1,
    ("chair", 1000003): 0x9D50FBB3,
    ("table", 0): 0x48915A30,
    ("table", 7): 0xC6C76FAC,
    ("table", 1000003): 0x834262FE,
    ("cabinet", 0): 0xB24B6187,
    ("cabinet", 7): 0x1311C97B,
    ("cabinet", 1000003): 0xC97CEA13,
    ("lamp", 0): 0x0DFB04F8,
    ("lamp", 7): 0x830D0483,
    ("lamp", 1000003): 0xDDACF8C7,
    ("vase", 0): 0x75C89A9D,
    ("vase", 7): 0x866ED204,
    ("vase", 1000003): 0x46CD0DEC,
    ("mug", 0): 0xD6A5C9F9,
    ("mug", 7): 0xEB94A9EC,
    ("mug", 1000003): 0x9EE6B6DA,
    ("airplane", 0): 0x5B580A01,
    ("airplane", 7): 0x5BC68301,
    ("airplane", 1000003): 0x668D7178,
    ("car", 0): 0x5B3604F6,
    ("car", 7): 0x8D28AF22,
    ("car", 1000003): 0xCC0D8B7D,
    ("creature", 0): 0x52F29206,
    ("creature", 7): 0xFF2E1A21,
    ("creature", 1000003): 0x967DF12E,
}


def checksum(category: str, seed: int) -> int:
    values = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in make(category, seed).parameters.items()
    }
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def designs(category: str, count: int) -> list[dict[str, object]]:
    module = category_module(category)
    return [vars(module.sample(Draw(generator(f"catalogue {category}", seed)))) for seed in range(count)]


@pytest.fixture(
    scope="module",
    params=[
        *[pytest.param((category, FEW), id=f"{category}-few") for category in CATEGORIES],
        *[pytest.param((category, SEEDS), id=category, marks=pytest.mark.slow) for category in CATEGORIES],
    ],
)
def shapes(request: pytest.FixtureRequest) -> list[Shape]:
    category, seeds = request.param
    return [make(category, seed) for seed in seeds]


def test_designs_never_change() -> None:
    assert {where: checksum(*where) for where in RECORDED} == RECORDED
    assert {category for category, _ in RECORDED} == set(CATEGORIES)


def test_another_process_makes_the_same_shapes() -> None:
    code = (
        "import zlib; from gen3d_core.data.catalogue import CATEGORIES, make\n"
        "for c in CATEGORIES:\n"
        "    s = make(c, 5); print(c, zlib.crc32(repr(s.parameters).encode()), zlib.crc32(s.voxels(32).tobytes()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = [(c, make(c, 5)) for c in CATEGORIES]
    expected = [f"{c} {zlib.crc32(repr(s.parameters).encode())} {zlib.crc32(s.voxels(32).tobytes())}" for c, s in own]
    assert done.stdout.split("\n")[:-1] == expected


def test_shapes_are_of_one_piece_on_coarse_grids(shapes: list[Shape]) -> None:
    pieces = [int(np.asarray(label(shape.voxels(64), connectivity=1)).max()) for shape in shapes]
    assert pieces.count(1) >= len(shapes) - 1, [(s.seed, n) for s, n in zip(shapes, pieces, strict=True) if n > 1]


def test_what_the_distance_calls_inside_is_inside_a_part(shapes: list[Shape]) -> None:
    random = np.random.default_rng(3)
    for shape in shapes[:4]:
        low, high = shape.bounds()
        points = random.uniform(low - 0.02, high + 0.02, (1500, 3)).astype(np.float32)
        distance = shape.sdf(points)
        clear = np.abs(distance) > 0.006
        inside = np.zeros(len(points), bool)
        for mesh in shape.parts_mesh():
            near = ((points > mesh.vertices.min(0)) & (points < mesh.vertices.max(0))).all(1)
            # A winding number, and not the crossings of a ray, which may meet an edge.
            vertices, faces = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
            inside[near] |= igl.winding_number(vertices, faces, points[near].astype(np.float64)) > 0.5
        assert np.array_equal(distance[clear] < 0, inside[clear]), (shape.category, shape.seed)


def test_part_meshes_are_closed_and_point_outward(shapes: list[Shape]) -> None:
    for shape in shapes:
        for part, mesh in zip(shape.parts, shape.parts_mesh(), strict=True):
            solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
            assert solid.is_watertight, (shape.category, shape.seed, part.name)
            assert solid.volume > 0, (shape.category, shape.seed, part.name)


@pytest.mark.parametrize(
    ("category", "name", "choices"),
    [
        ("cabinet", "form", cabinet.FORMS),
        ("lamp", "kind", lamp.KINDS),
        ("lamp", "stand", [stand for stands in lamp.STANDS.values() for stand in stands]),
        ("lamp", "shade", [shade for shades in lamp.SHADES.values() for shade in shades]),
        ("vase", "kind", vase.KINDS),
        ("vase", "foot", ["none", "ring", "pedestal", "balls"]),
        ("vase", "closure", ["open", "cork", "stopper", "lid"]),
        ("vase", "handles", [0, 1, 2]),
        ("mug", "form", mug.FORMS),
        ("mug", "handle", mug.HANDLES),
        ("mug", "saucer", [0, 1]),
        ("airplane", "kind", airplane.KINDS),
        ("airplane", "tail", [tail for tails in airplane.TAILS.values() for tail in tails]),
        ("airplane", "engines", [0, 1, 2, 4]),
        ("airplane", "gear", ["none", "wheels", "floats"]),
        ("car", "kind", car.KINDS),
    ],
)
def test_every_choice_is_made_often_enough_to_be_learned(category: str, name: str, choices: list[object]) -> None:
    seen = Counter(design[name] for design in designs(category, 300))
    assert set(seen) == set(choices)
    assert min(seen.values()) >= 3


def test_documentation_names_every_parameter() -> None:
    for category in CATEGORIES:
        module = category_module(category)
        design = module.sample(Draw(generator("documentation", 0)))
        text = type(design).__doc__ or ""
        missing = [name for name in vars(design) if name not in text]
        assert not missing, (category, missing)
        assert set(module.LENGTHS) <= set(vars(design)), category


@pytest.mark.parametrize("count", [12, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("category", CATEGORIES)
def test_descriptions_stay_within_the_vocabulary_and_count_the_parts(category: str, count: int) -> None:
    sentences = set()
    for seed in range(count):
        shape = make(category, seed)
        said, known = sentence(shape), attributes(shape)
        sentences.add(said)
        words = said.replace(",", "").split()
        words += [word for value in known.values() if isinstance(value, str) for word in value.split()]
        assert set(words) <= VOCABULARY, said
        assert said.split()[0] == ("an" if said.split()[1][0] in "aeio" else "a"), said
        assert known["category"] == category
        check_counts(shape, known)
    assert len(sentences) > 0.3 * count


def check_counts(shape: Shape, known: dict[str, str | int]) -> None:
    """Numbers in the attributes against the geometry, not against the parameters they are read from."""
    where = (shape.category, shape.seed)
    low = shape.bounds()[0]
    if shape.category == "car":
        wheels = [part for part in shape.parts if part.label == "wheel"]
        assert known["wheels"] == len(wheels), where
        assert all(part.solid.bounds()[0, 2] < low[2] + 0.01 for part in wheels), where
    elif shape.category == "airplane":
        reach = [part.solid.bounds() for part in shape.parts if part.label == "propeller"]
        assert known["blades"] == 0 or len(reach) % (int(known["blades"]) + 1) == 0, where
    elif shape.category == "lamp":
        assert known["shades"] == shape.parameters["lights"], where
    elif shape.category in ("vase", "mug"):
        handles = [part for part in shape.parts if part.label == "handle"]
        assert bool(known["handles"]) == bool(handles), where
        both = any(part.solid.bounds()[0, 0] < low[0] + 0.02 for part in handles)
        assert both == (known["handles"] == 2), where
    elif shape.category in ("chair", "table") and known["legs"]:
        feet = [part for part in shape.parts if part.label == "leg" and part.solid.bounds()[0, 2] < low[2] + 0.03]
        assert known["legs"] == len([part for part in shape.parts if part.label == "leg"]), where
        assert feet or shape.parameters.get("stance") == "rockers", where
    elif shape.category == "creature":
        assert known["legs"] in (2, 4), where
