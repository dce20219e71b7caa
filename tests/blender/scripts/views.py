"""What cameras see: depth and plain pictures against Blender's own projection, and completions of what is seen."""

from itertools import pairwise

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Matrix, Vector
from support import caught, clear, enable, fails, module, positions, same, select

enable()
api, objects, views = module("api"), module("objects"), module("views")
clear()
scene = bpy.context.scene
COARSE = {"resolution": 32}


def add_camera(**lens: object) -> bpy.types.Object:
    """A camera from the side and from above, which is the scene's from now on."""
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (3, -4, 2.5), Euler((1.1, 0.1, 0.65))
    for name, value in lens.items():
        setattr(camera.data, name, value)
    scene.camera = camera
    bpy.context.view_layer.update()
    return camera


def world(obj: bpy.types.Object) -> np.ndarray:
    """The vertices in the world."""
    bpy.context.view_layer.update()
    return objects.transformed(positions(obj.data), obj.matrix_world)


# Every lens: a point is where Blender says that it is, and as deep.
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 320, 200, 50
whole = np.array([[-9.0, -9, -9], [9, 9, 9]])
lenses = (
    {"lens": 35.0},
    {"lens": 80.0, "shift_x": 0.2, "shift_y": -0.1},
    {"sensor_fit": "VERTICAL", "sensor_height": 30.0},
    {"type": "ORTHO", "ortho_scale": 4.0, "shift_x": 0.1},
)
points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
for lens in lenses:
    camera = add_camera(**lens)
    if "type" in lens:
        scene.render.pixel_aspect_x = 2.0
    graph = bpy.context.evaluated_depsgraph_get()
    matrix = camera.evaluated_get(graph).calc_matrix_camera(
        graph, x=160, y=100, scale_x=scene.render.pixel_aspect_x, scale_y=1.0
    )
    box = np.stack([points.min(0), points.max(0)])
    mine = views._pinhole(matrix, views.rigid(camera.matrix_world), 160, 100, box)
    depths = mine.depths(points)
    local = (points - mine.pose[:3, 3]) @ mine.pose[:3, :2] / depths[:, None]
    for place, depth, point in zip(local, depths, points, strict=True):
        u, v, far = world_to_camera_view(scene, camera, Vector(point))
        column, row = place * (mine.fx, -mine.fy) + (mine.cx, mine.cy)
        tolerance = 0.3 if "type" in lens else 1e-3
        assert abs(column - 160 * u) < tolerance, (lens, column, 160 * u)
        assert abs(row - 100 * (1 - v)) < tolerance, (lens, row, 100 * (1 - v))
        assert "type" in lens or abs(depth - far) < 1e-4
    scene.render.pixel_aspect_x = 1.0
    # The part around the points: all are in it, and the rays go where the pixels are.
    part = views.through_camera(camera, box, 48)
    assert max(part.width, part.height) == 48
    ray = part.rays().reshape(part.height, part.width, 3)[5, 7]
    there = part.pose[:3, 3] + 3.0 * ray
    assert abs(part.depths(there[None])[0] - 3.0) < 1e-6
    again = views.Camera.of(part.flat)
    assert np.allclose(again.pose, part.pose, rtol=1e-6)
    assert (again.width, again.height) == (part.width, part.height)
assert views.through_camera(camera, whole, 48).width <= 48

# Depth of a cube: the front is where it is, beside it is nothing.
clear()
bpy.ops.mesh.primitive_cube_add(size=2)
cube = bpy.context.active_object
front = add_camera()
front.location, front.rotation_euler = (0, -5, 0), (1.5707963, 0, 0)
bpy.context.view_layer.update()
surface = objects.surface(cube)
seen = views.sight(surface, views.relative(views.through_camera(front, objects.world_box(cube), 96), surface))
assert seen.depth.dtype == np.float32
assert max(seen.depth.shape) == 96
middle = tuple(side // 2 for side in seen.depth.shape)
assert abs(seen.depth[middle] - 4) < 1e-5
assert seen.depth[0, 0] == 0, "no ray passes beside the cube"
assert 0.7 < (seen.depth > 0).mean() < 0.95
values = seen.camera.values()
assert (values["w"], values["h"]) == seen.depth.shape[::-1]
front.data.type = "ORTHO"
front.data.ortho_scale = 6
bpy.context.view_layer.update()
parallel = views.sight(surface, views.relative(views.through_camera(front, objects.world_box(cube), 96), surface))
depth, eye = parallel.depth[middle], parallel.camera.pose[:3, 3]
assert abs(eye[1] + depth + 1) < 1e-3, "the front is not at -1"
front.data.type = "PERSP"
front.data.lens = 15

# A plain picture: the material's colour, lit, before nothing.
material = bpy.data.materials.new("Red")
material.diffuse_color = (0.8, 0.05, 0.05, 1)
if material.node_tree:
    next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED").inputs[0].default_value = (
        0.8,
        0.05,
        0.05,
        1,
    )
cube.data.materials.append(material)
select(cube)
assert bpy.ops.gen3d.picture_of_view() == {"FINISHED"}
(row,) = scene.gen3d.pictures
picture = module("images").gather([row.image])[0]
covered = picture[..., 3] > 0
assert 0.5 < covered.mean() < 0.95
red, green, blue = picture[covered][:, :3].mean(0)
assert red > 3 * green
assert abs(green - blue) < 2
assert row.image.packed_file is not None

# Complete from view: what was seen stays, the hypotheses differ and stand in a row, and each is made again to the bit.
clear()
scene.gen3d.pictures.clear()
(shape,) = api.generate("toy-blobs", (1,))
camera = add_camera()
camera.rotation_euler = (shape.location - camera.location).to_track_quat("-Z", "Y").to_euler()
bpy.context.view_layer.update()
before = positions(shape.data)
one, two = api.complete_view(shape, seeds=(1, 2), model="toy-blobs", **COARSE)
assert np.array_equal(positions(shape.data), before)
assert not same(one, two)
assert shape.location.x < one.location.x < two.location.x
memory = one.gen3d
assert (memory.task, memory.source, memory.fitted, memory.seed) == ("complete_view", shape.name, False, 1)
surface = objects.surface(shape)
seen = views.sight(surface, views.Camera.of(tuple(memory.view)))
lines = seen.camera.rays().reshape(*seen.depth.shape, 3)
visible = (seen.camera.pose[:3, 3] + seen.depth[..., None] * lines)[seen.depth > 0]
for made in (one, two):
    moved = world(made) - np.array(made.location - shape.location)
    frame = np.array(shape.location)
    distances = [float(np.linalg.norm(moved - point - frame, axis=1).min()) for point in visible[::40]]
    assert np.median(distances) < 1.5 / 32, np.median(distances)
select(shape)
assert bpy.ops.gen3d.complete_view(count=2, model="toy-blobs", **COARSE) == {"FINISHED"}
assert same(bpy.context.selected_objects[0], one)
places = sorted(obj.location.x for obj in bpy.data.objects if obj.type == "MESH")
assert min(np.diff(places)) > 0.5, "one shape stands in another"
points = positions(two.data)
two.gen3d.resolution = 40
assert api.regenerate(two) == [two]
two.gen3d.resolution = 32
assert api.regenerate(two) == [two]
assert np.array_equal(positions(two.data), points)

# The camera is remembered from the object's side: both may have moved since.
shape.matrix_world = Matrix.Translation((4, 5, 6)) @ Matrix.Rotation(0.7, 4, "Z") @ shape.matrix_world
bpy.context.view_layer.update()
assert api.regenerate(two) == [two]
assert np.abs(positions(two.data).max(0) - points.max(0)).max() < 0.01

# A turned and scaled shape of ours is seen in its own frame, an artist's mesh upright as the world is.
camera.matrix_world = shape.matrix_world @ Matrix.Translation((0, -4, 0)) @ Matrix.Rotation(1.5707963, 4, "X")
shape.scale = (2, 2, 2)
bpy.context.view_layer.update()
(large,) = api.complete_view(shape, camera, model="toy-blobs", **COARSE)
# The view's frame is the cube around the shape, which need not be in the middle of its own.
assert np.abs(positions(large.data)).max() < 0.65, np.abs(positions(large.data)).max()
assert large.scale == Vector((2, 2, 2))
bpy.ops.mesh.primitive_monkey_add(location=(30, 0, 0), rotation=(0.4, 0, 0))
monkey = bpy.context.active_object
camera.matrix_world = Matrix.Translation((30, -6, 0)) @ Matrix.Rotation(1.5707963, 4, "X")
bpy.context.view_layer.update()
(found,) = api.complete_view(monkey, camera, model="toy-blobs", **COARSE)
low, high = world(monkey).min(0), world(monkey).max(0)
centre = (world(found).min(0) + world(found).max(0)) / 2 - (low + high) / 2
assert np.abs(centre[1:]).max() < (high - low).max() / 2, "not at the source's place"
assert found.gen3d.fitted

# A narrow thing: that nothing is beside it is seen, too. From nearer, where that is not in the picture, shapes come out
# wider than it, and do not stand in one another.
bpy.ops.mesh.primitive_cube_add(size=1, location=(0, 30, 0))
pillar = bpy.context.active_object
pillar.scale = (0.1, 0.1, 1)
bpy.context.view_layer.update()
near = add_camera()
near.location = pillar.location + Vector((1, -3, 1))
near.rotation_euler = (pillar.location - near.location).to_track_quat("-Z", "Y").to_euler()
bpy.context.view_layer.update()
(slim,) = api.complete_view(pillar, model="toy-blobs", **COARSE)
seen = views.sight(objects.surface(pillar), views.Camera.of(tuple(slim.gen3d.view)))
assert (seen.depth > 0).mean() < 0.25
near.data.lens = 250
row = [slim, *api.complete_view(pillar, seeds=(1, 2, 3), model="toy-blobs", **COARSE)]
row += api.complete_view(pillar, seeds=(4,), model="toy-blobs", **COARSE)
boxes = sorted((objects.world_box(obj) for obj in (pillar, *row)), key=lambda box: box[0, 0])
assert max(float(np.ptp(box[:, 0])) for box in boxes) > 0.3, "no shape came out wider than what was seen"
assert all(left[1, 0] < right[0, 0] for left, right in pairwise(boxes)), "one shape stands in another"
scene.camera = camera

# A text guides it, where a model listens; what cannot be seen is said.
(told,) = api.complete_view(monkey, camera, text="a head", **COARSE)
assert (told.gen3d.model, told.gen3d.text) == ("toy-able", "a head")
camera.rotation_euler = (-1.5707963, 0, 0)
bpy.context.view_layer.update()
select(monkey)
with fails("The shape is not in the picture.", "Turn the view or the camera to it."):
    bpy.ops.gen3d.complete_view()
with fails("The shape is not in the picture.", "Turn the view"):
    bpy.ops.gen3d.picture_of_view()
with fails("There is no 3D view here.", "Use a camera"):
    bpy.ops.gen3d.complete_view(view="VIEW")
camera.data.type = "PANO"
with fails("is a panoramic camera.", "perspective"):
    bpy.ops.gen3d.complete_view()
scene.camera = None
with fails("The scene has no camera.", "Add one"):
    bpy.ops.gen3d.complete_view()
assert "The scene has no camera." in caught(lambda: api.complete_view(monkey)).message
assert "is no camera" in caught(lambda: api.complete_view(monkey, monkey)).message
