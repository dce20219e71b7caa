"""Assets from the scene and from files: what is seen arrives, in world units, and nothing in Blender changes."""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, module, select

enable()
assets, collecting = module("assets"), module("collecting")
clear()
FOLDER = Path(tempfile.mkdtemp(dir=bpy.app.tempdir or None))


def scene_hash() -> str:
    """A hash of everything in the file that an artist could miss: all data by name, geometry, places, selection."""
    facts: list[object] = []
    for name, kind in bpy.data.bl_rna.properties.items():
        if kind.type == "COLLECTION":
            facts += [(name, one.name_full, one.users) for one in getattr(bpy.data, name)]
    for obj in bpy.data.objects:
        facts += [
            obj.name,
            [list(row) for row in obj.matrix_basis],
            obj.select_get(),
            obj.hide_get(),
            len(obj.modifiers),
        ]
    for mesh in bpy.data.meshes:
        facts += [[tuple(vertex.co) for vertex in mesh.vertices], [tuple(face.vertices) for face in mesh.polygons]]
    view_layer = bpy.context.view_layer
    active = view_layer.objects.active
    facts += [active.name if active else "", bpy.context.scene.name, bpy.context.mode, bpy.context.collection.name]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3), by the format's own rules."""
    data = path.read_bytes()
    header, _, body = data.partition(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    vertices = np.frombuffer(body, "<f8", counts["vertex"] * 3).reshape(-1, 3)
    faces = np.frombuffer(body[vertices.nbytes :], np.dtype([("n", "u1"), ("v", "<i4", 3)]))
    assert len(faces) == counts["face"]
    assert (faces["n"] == 3).all()
    return vertices, faces["v"]


def collect(source: object, name: str) -> "tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, str]]":
    """What arrives in a folder by the artist's names, and what is refused, by name; Blender is as before."""
    before = scene_hash()
    collected = collecting.Collecting(source, FOLDER / name)
    while collected.step():
        pass
    assert scene_hash() == before, "collecting changed something"
    table = FOLDER / name / "names.json"
    names = json.loads(table.read_text(encoding="utf-8")) if table.exists() else {}
    found = {title: read_ply(FOLDER / name / f"{stem}.ply") for stem, title in names.items()}
    assert len(found) == len(names)
    return found, dict(collected.refused)


def volume(mesh: tuple[np.ndarray, np.ndarray]) -> float:
    """Of a closed mesh; negative where it is inside out."""
    a, b, c = (mesh[0][mesh[1][:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def add(kind: str, name: str, **options: object) -> bpy.types.Object:
    """A new object of one of Blender's primitives."""
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(**options)
    obj = bpy.context.active_object
    obj.name = name
    return obj


# Objects of every kind, in a collection with another one in it.
shelf, inner = bpy.data.collections.new("Shelf"), bpy.data.collections.new("Inner")
bpy.context.scene.collection.children.link(shelf)
shelf.children.link(inner)
layers = bpy.context.view_layer.layer_collection.children
bpy.context.view_layer.active_layer_collection = layers["Shelf"]
cube = add("cube", "A cube", size=2, location=(3, 0, 0))
cube.scale = (2, 1, 1)
smooth = add("cube", "Smooth", size=2)
smooth.modifiers.new("Subdivision", "SUBSURF").levels = 2
mirrored = add("uv_sphere", "Mirrored 🪑 ü", radius=1)
mirrored.scale = (-1, 1, 1)
text = bpy.data.objects.new("Text", bpy.data.curves.new("Text", "FONT"))
text.data.body, text.data.extrude = "Hi", 0.1
curve = bpy.data.curves.new("Pipe", "CURVE")
curve.dimensions, curve.bevel_depth = "3D", 0.1
curve.splines.new("POLY").points.add(1)
curve.splines[0].points[1].co = (1, 0, 0, 1)
pipe = bpy.data.objects.new("Pipe", curve)
table = add("cube", "Table", size=1)
drawer = add("cube", "Drawer", size=0.5, location=(2, 0, 0))
drawer.parent = table
drawer.matrix_parent_inverse = Matrix()
secret = add("cube", "Cutter", size=9)
secret.parent = table
set_of_two = bpy.data.objects.new("Set", None)
for number in range(2):
    part = add("cube", f"Part {number}", size=1, location=(3 * number, 0, 0))
    part.parent = set_of_two
inside = bpy.data.collections.new("Instanced")
inside.objects.link(bpy.data.objects.new("Original", cube.data))
inside.objects.link(text)
instance = bpy.data.objects.new("Instance", None)
instance.instance_type, instance.instance_collection = "COLLECTION", inside
instance.location = (0, 0, 7)
points = add("plane", "Scattered", size=10)
nodes = bpy.data.node_groups.new("Scatter", "GeometryNodeTree")
nodes.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
nodes.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
given, taken = nodes.nodes.new("NodeGroupInput"), nodes.nodes.new("NodeGroupOutput")
scatter, shape = nodes.nodes.new("GeometryNodeInstanceOnPoints"), nodes.nodes.new("GeometryNodeMeshCube")
nodes.links.new(given.outputs[0], scatter.inputs["Points"])
nodes.links.new(shape.outputs[0], scatter.inputs["Instance"])
nodes.links.new(scatter.outputs[0], taken.inputs[0])
points.modifiers.new("Scatter", "NODES").node_group = nodes
empty_mesh = bpy.data.objects.new("Nothing", bpy.data.meshes.new("Nothing"))
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
lonely = bpy.data.objects.new("Lonely", None)
hidden = add("cube", "Hidden", size=1)
flat = add("plane", "Sheet", size=1, location=(1e6, 0, 0))
for obj in (text, pipe, set_of_two, instance, empty_mesh, camera, lonely):
    inner.objects.link(obj)
bpy.ops.object.metaball_add(location=(0, 9, 0))
bpy.ops.object.metaball_add(location=(0.5, 9, 0))
secret.hide_set(True)
hidden.hide_set(True)
bpy.context.view_layer.update()

source = collecting.Source.of("Shelf", assets.inside(shelf))
found, refused = collect(source, "collection")
assert set(found) == {
    "A cube", "Smooth", "Mirrored 🪑 ü", "Text", "Pipe", "Table", "Set", "Instance", "Scattered", "Sheet", "Mball"
}, set(found)  # fmt: skip
assert set(refused) == {"Nothing", "Camera", "Lonely", "Hidden", "Mball.001"}, refused
assert "no faces" in refused["Nothing"]
assert "'camera' have no faces" in refused["Camera"]
assert "empty without" in refused["Lonely"]
assert "hidden" in refused["Hidden"]
assert "another metaball" in refused["Mball.001"]

# World transforms, modifiers, mirrored transforms.
vertices, faces = found["A cube"]
assert len(vertices) == 8
assert len(faces) == 12
assert np.allclose([vertices.min(0), vertices.max(0)], [[1, -1, -1], [5, 1, 1]])
assert len(found["Smooth"][0]) > 90
assert abs(volume(found["A cube"]) - 16) < 1e-6
assert 3.5 < volume(found["Mirrored 🪑 ü"]) < 4.2, "inside out"
assert volume(found["Text"]) > 0.02
pipe_size = np.ptp(found["Pipe"][0], axis=0)
assert np.allclose(pipe_size, [1, 0.2, 0.2], atol=0.02), pipe_size
# Once each: a curve's surface is listed twice by Blender.
assert abs(len(found["Text"][1]) - sum(len(p.vertices) - 2 for p in text.to_mesh().polygons)) == 0
text.to_mesh_clear()
# Children belong to their parent, hidden ones do not.
assert len(found["Table"][1]) == 24
assert np.allclose(np.ptp(found["Table"][0], axis=0), [2.75, 1, 1])
assert len(found["Set"][1]) == 24
# Instances are real.
letters = len(found["Text"][1])
assert len(found["Instance"][1]) == 12 + letters, "a curve in an instance counts twice"
assert np.allclose([found["Instance"][0][:, 2].min(), found["Instance"][0][:, 2].max()], [6, 8])
assert len(found["Scattered"][1]) == 4 * 12
# Far from the origin nothing is lost.
assert np.allclose(np.ptp(found["Sheet"][0], axis=0), [1, 1, 0], atol=1e-6)

# The unit of the scene is the metre, whatever the artist measures in.
bpy.context.scene.unit_settings.scale_length = 0.01
found, _ = collect(collecting.Source.of("One", [cube]), "units")
assert np.allclose(np.ptp(found["A cube"][0], axis=0), [0.04, 0.02, 0.02])
bpy.context.scene.unit_settings.scale_length = 1.0

# A selection: a child without its parent is an asset of its own; a parent brings its children.
select(cube, drawer)
assert {obj.name for obj in assets.selected(bpy.context)} == {"A cube", "Drawer"}
select(table, drawer, set_of_two)
assert {obj.name for obj in assets.selected(bpy.context)} == {"Table", "Set"}
select()
assert "There are no assets." in caught(lambda: collecting.Source.of("Selection", [])).message

# Linked data is read, never changed, and said to be linked.
library = str(FOLDER / "library.blend")
bpy.data.libraries.write(library, {smooth}, fake_user=True)
with bpy.data.libraries.load(library, link=True) as (there, here):
    here.objects = list(there.objects)
linked = here.objects[0]
shelf.objects.link(linked)
bpy.context.view_layer.update()
before = scene_hash()
collected = collecting.Collecting(collecting.Source.of("Linked", [linked, cube]), FOLDER / "linked")
while collected.step():
    pass
assert scene_hash() == before
assert collected.notes == ["1 of the assets is linked from library.blend: read, not changed."], collected.notes
assert len(collected.names) == 2
bpy.data.objects.remove(linked)

# What is deleted while assets are collected is said so, and the others arrive.
doomed = add("cube", "Doomed", size=1)
source = collecting.Source.of("Two", [doomed, cube])
bpy.data.objects.remove(doomed)
found, refused = collect(source, "deleted")
assert set(found) == {"A cube"}
assert "deleted" in refused["Doomed"]
only = collecting.Collecting(collecting.Source.of("None", [camera, lonely]), FOLDER / "none")
while only.step():
    pass
error = caught(only.check)
assert "No asset can be used. 'Camera':" in error.message
assert "Lonely" in error.details

# Files: FBX goes through Blender and leaves nothing behind, what the engine reads itself is left to it.
disk = FOLDER / "disk"
(disk / "deep er").mkdir(parents=True)
select(cube, mirrored)
bpy.ops.export_scene.fbx(filepath=str(disk / "deep er" / "two things ü.fbx"), use_selection=True)
(disk / "broken.fbx").write_bytes(b"Kaydara FBX Binary  \x00nothing more")
(disk / "plain.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
assert collecting.needs_blender(disk)
found, refused = collect(collecting.Source.on_disk(disk), "files")
assert set(found) == {"two things ü"}, (set(found), refused)
size = np.ptp(found["two things ü"][0], axis=0)
assert np.allclose(size, [6, 2, 2], atol=0.05), size
assert set(refused) == {"broken.fbx"}, refused
assert (FOLDER / "files" / "files" / "plain.obj").exists()
# The same as an archive, with a path that leads out of it.
archive = FOLDER / "archive.zip"
with zipfile.ZipFile(archive, "w") as packed:
    for path in disk.rglob("*.*"):
        packed.write(path, path.relative_to(disk))
    packed.writestr("../../escaped.obj", "v 0 0 0\n")
found, refused = collect(collecting.Source.on_disk(archive), "unpacked")
assert set(found) == {"two things ü"}
assert set(refused) == {"broken.fbx", "../../escaped.obj"}, refused
assert not list(FOLDER.glob("escaped.obj"))
assert not list(FOLDER.parent.glob("escaped.obj"))
plain = FOLDER / "plain"
plain.mkdir()
(plain / "one.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
collected = collecting.Collecting(collecting.Source.on_disk(plain), FOLDER / "unused")
assert collected.data == plain
assert not collected.step()
assert not (FOLDER / "unused").exists()
assert "nothing at" in caught(lambda: collecting.Source.on_disk(FOLDER / "nowhere")).message
assert os.listdir(plain) == ["one.obj"]
