"""A photographer's studio for the demonstration: steps, a curved backdrop, light, materials, a camera.

It knows nothing of where the objects come from; it needs Blender objects that stand upright and face -Y.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree

Colour = tuple[float, float, float]

#: Colours as sRGB values. An interpolation runs through the warm ones; what it starts and ends with wears their ends.
WARM = ("#DDA63A", "#C65A36", "#7A3350")
COOL = ("#8E9F74", "#34787A", "#E2D3B8", "#46628A")
PLASTER = "#E9E2D6"
WALL = "#D5CCBF"
WOOD = "#C99C6A"
NEW = "#2785A6"
INK = "#6B6258"

#: Where the rows stand: distance from the front and height of their steps, in Blender's units.
FLOOR, MIDDLE, BACK = (0.0, 0.0), (1.4, 0.62), (2.75, 1.24)
STEP_DEPTH = 1.25
STEP_WIDTH = 8.1
#: The middle of the rows, and where the lettering beside each begins: one column as the camera sees it.
CENTRE = 0.6
LETTERS = {FLOOR: -3.3, MIDDLE: -3.53, BACK: -3.76}
TURN = math.radians(-28)


def empty() -> bpy.types.Scene:
    """The current scene, with everything in it removed."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    for collection in list(bpy.data.collections):
        bpy.data.collections.remove(collection)
    return bpy.context.scene


def collection(name: str) -> bpy.types.Collection:
    """A new collection of the scene."""
    made = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(made)
    return made


def gather(objects: Sequence[bpy.types.Object], name: str) -> None:
    """Moves objects into a new collection of their own."""
    target = collection(name)
    for thing in objects:
        for holder in list(thing.users_collection):
            holder.objects.unlink(thing)
        target.objects.link(thing)


def compose(
    generated: Sequence[bpy.types.Object],
    blended: tuple[int, int],
    row: Sequence[bpy.types.Object],
    given: int,
    cut: bpy.types.Object,
    completed: Sequence[bpy.types.Object],
) -> None:
    """Lays everything out: generated chairs at the back, the interpolation before them, completions in front.

    Args:
        generated: on the back step.
        blended: which two of them the row connects; they wear the colours of its ends.
        row: on the middle step.
        given: which of the generated ones was cut; a wooden copy of it opens the front row.
        cut: what was left of it.
        completed: from what was left; what is new in them has a colour of its own.
    """
    furnish()
    cool = iter(COOL)
    for index, thing in enumerate(generated):
        colour = warm(float(blended.index(index))) if index in blended else linear(next(cool))
        dress(thing, paint(thing.name, colour))
    for index, thing in enumerate(row):
        dress(thing, paint(thing.name, warm(index / (len(row) - 1))))
    whole = generated[given].copy()
    whole.data = generated[given].data.copy()
    whole.name = f"{generated[given].name} whole"
    kept, made = wood("Given", linear(WOOD)), grown("Completed", linear(NEW))
    for thing in (whole, cut):
        dress(thing, kept)
    for thing in completed:
        mark_new(thing, cut)
        dress(thing, made)
    front = [whole, cut, *completed]
    line_up(generated, BACK, 1.1)
    line_up(row, MIDDLE, 0.92)
    line_up(front, FLOOR, 1.14)
    for text, place in (("GENERATE", BACK), ("INTERPOLATE", MIDDLE), ("COMPLETE", FLOOR)):
        letter(text, place)
    for things, name in ((generated, "Generated"), (row, "Interpolated"), (front, "Completed")):
        gather(things, name)


# Placing ------------------------------------------------------------------------------------------------------------


def stand(thing: bpy.types.Object, x: float, place: tuple[float, float], turn: float = TURN) -> None:
    """Stands an object upright on a step.

    Args:
        thing: with a mesh.
        x: of its middle, in Blender's units.
        place: distance from the front and height of the step.
        turn: about the vertical, in radians.
    """
    corners = np.array([Matrix.Rotation(turn, 3, "Z") @ Vector(corner) for corner in thing.bound_box])
    low, high = Vector(corners.min(0)), Vector(corners.max(0))
    middle = (low + high) / 2
    thing.rotation_euler = (0.0, 0.0, turn)
    thing.location = (x - middle.x, place[0] - middle.y, place[1] - low.z)


def line_up(objects: Sequence[bpy.types.Object], place: tuple[float, float], spacing: float) -> None:
    """Stands objects side by side on a step."""
    for index, thing in enumerate(objects):
        stand(thing, CENTRE + (index - (len(objects) - 1) / 2) * spacing, place)


# Materials ----------------------------------------------------------------------------------------------------------


def linear(colour: str) -> Colour:
    """A colour written as ``#RRGGBB`` in the linear values that shaders compute with."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    red, green, blue = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(red), float(green), float(blue)


def warm(share: float) -> Colour:
    """The warm colour at a place between the first (0) and the last (1)."""
    colours = np.array([linear(colour) for colour in WARM])
    places = np.linspace(0, 1, len(WARM))
    red, green, blue = (float(np.interp(share, places, channel)) for channel in colours.T)
    return red, green, blue


def paint(name: str, colour: Colour, roughness: float = 0.42, coat: float = 0.15) -> bpy.types.Material:
    """A material of one colour."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Coat Weight"].default_value = coat
    return material


def wood(name: str, colour: Colour) -> bpy.types.Material:
    """A light wood with a quiet grain from front to back and from top to bottom."""
    material = paint(name, colour, roughness=0.5, coat=0.1)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    coordinates = nodes.new("ShaderNodeTexCoord")
    stretch = nodes.new("ShaderNodeMapping")
    stretch.inputs["Scale"].default_value = (15.0, 1.5, 1.5)
    grain = nodes.new("ShaderNodeTexNoise")
    grain.inputs["Scale"].default_value = 2.2
    grain.inputs["Detail"].default_value = 6.0
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color = (*(0.62 * np.array(colour)), 1.0)
    ramp.color_ramp.elements[0].position = 0.35
    ramp.color_ramp.elements[1].color = (*colour, 1.0)
    ramp.color_ramp.elements[1].position = 0.62
    links.new(coordinates.outputs["Object"], stretch.inputs["Vector"])
    links.new(stretch.outputs["Vector"], grain.inputs["Vector"])
    links.new(grain.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return material


def dress(thing: bpy.types.Object, material: bpy.types.Material) -> None:
    """Gives an object one material."""
    thing.data.materials.clear()
    thing.data.materials.append(material)


def grown(name: str, colour: Colour) -> bpy.types.Material:
    """Wood where the mesh was given, one bright colour where it was made anew (see :func:`mark_new`)."""
    material = wood(name, linear(WOOD))
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    share = nodes.new("ShaderNodeAttribute")
    share.attribute_name = "new"
    edge = nodes.new("ShaderNodeMapRange")
    edge.inputs["From Min"].default_value = 0.03
    edge.inputs["From Max"].default_value = 0.045
    mix = nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    kept = shader.inputs["Base Color"].links[0].from_socket
    links.new(share.outputs["Fac"], edge.inputs["Value"])
    links.new(edge.outputs["Result"], mix.inputs["Factor"])
    links.new(kept, mix.inputs["A"])
    mix.inputs["B"].default_value = (*colour, 1.0)
    links.new(mix.outputs["Result"], shader.inputs["Base Color"])
    return material


def mark_new(thing: bpy.types.Object, given: bpy.types.Object) -> None:
    """Stores with every vertex how far it is from the surface that was given, both in their own coordinates."""
    builder = bmesh.new()
    builder.from_mesh(given.data)
    tree = BVHTree.FromBMesh(builder)
    builder.free()
    mesh = thing.data
    distances = [tree.find_nearest(vertex.co)[3] for vertex in mesh.vertices]
    mesh.attributes.new("new", "FLOAT", "POINT").data.foreach_set("value", distances)


# The studio ---------------------------------------------------------------------------------------------------------


def furnish() -> None:
    """Builds the steps, the curved backdrop, the lights and the camera."""
    target = collection("Studio")
    plaster = paint("Plaster", linear(PLASTER), roughness=0.75, coat=0.0)
    for name, (front, height) in (("Middle step", MIDDLE), ("Back step", BACK)):
        _step(target, name, front - STEP_DEPTH / 2, BACK[0] + STEP_DEPTH / 2, height, plaster)
    _backdrop(target, paint("Wall", linear(WALL), roughness=0.9, coat=0.0))
    _light(target, "Key", (-5.0, -4.5, 6.5), (0.0, 1.0, 0.8), 3.5, 620, "#FFF1DE")
    _light(target, "Fill", (6.5, -5.0, 3.0), (0.0, 1.0, 0.8), 5.0, 160, "#DCE8FF")
    _light(target, "Rim", (4.5, 5.0, 5.5), (0.0, 1.5, 1.0), 2.5, 260, "#FFE3C2")
    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*linear("#F3EEE6"), 1.0)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.35
    bpy.context.scene.world = world
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 70
    camera.location = (0.0, -13.2, 6.4)
    _look(camera, (0.0, 1.05, 0.98))
    target.objects.link(camera)
    bpy.context.scene.camera = camera


def letter(text: str, place: tuple[float, float]) -> None:
    """Letters that stand at the left of a step, leaning back a little."""
    curve = bpy.data.curves.new(text, "FONT")
    curve.body = text
    curve.size = 0.145
    curve.space_character = 1.12
    curve.extrude = 0.01
    curve.bevel_depth = 0.001
    curve.materials.append(bpy.data.materials.get("Ink") or paint("Ink", linear(INK), roughness=0.7, coat=0.0))
    thing = bpy.data.objects.new(text, curve)
    thing.location = (LETTERS[place], place[0] - 0.2, place[1])
    thing.rotation_euler = (math.radians(72), 0.0, 0.0)
    bpy.data.collections["Studio"].objects.link(thing)


def set_up_render(samples: int) -> None:
    """Sets the scene to Cycles on the CPU and the picture's place beside the .blend file."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.adaptive_threshold = 0.02
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 4
    scene.cycles.seed = 1
    scene.render.resolution_x, scene.render.resolution_y = 1600, 900
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.35
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.filepath = "//demo.png"


def _step(
    target: bpy.types.Collection, name: str, front: float, back: float, height: float, material: bpy.types.Material
) -> None:
    builder = bmesh.new()
    size = Matrix.Diagonal((STEP_WIDTH, back - front, height, 1.0))
    place = Matrix.Translation((0.0, (front + back) / 2, height / 2))
    bmesh.ops.create_cube(builder, size=1.0, matrix=place @ size)
    bmesh.ops.bevel(builder, geom=builder.edges[:], offset=0.025, segments=4, profile=0.5, affect="EDGES")
    _link(target, name, builder, material)


def _backdrop(target: bpy.types.Collection, material: bpy.types.Material) -> None:
    """A floor that bends up into a wall without an edge."""
    radius, wall, half_width, height = 2.5, 6.2, 16.0, 9.0
    turns = np.linspace(0, math.pi / 2, 24)
    y = np.concatenate([[-14.0], wall - radius + radius * np.sin(turns), [wall]])
    z = np.concatenate([[0.0], radius - radius * np.cos(turns), [height]])
    builder = bmesh.new()
    rows = [[builder.verts.new((x, *point)) for x in (-half_width, half_width)] for point in zip(y, z, strict=True)]
    for near, far in itertools.pairwise(rows):
        builder.faces.new((near[0], near[1], far[1], far[0]))
    _link(target, "Backdrop", builder, material)


def _link(target: bpy.types.Collection, name: str, builder: bmesh.types.BMesh, material: bpy.types.Material) -> None:
    mesh = bpy.data.meshes.new(name)
    builder.to_mesh(mesh)
    builder.free()
    mesh.shade_smooth()
    mesh.materials.append(material)
    target.objects.link(bpy.data.objects.new(name, mesh))


def _light(
    target: bpy.types.Collection,
    name: str,
    place: tuple[float, float, float],
    aim: tuple[float, float, float],
    size: float,
    power: float,
    colour: str,
) -> None:
    lamp = bpy.data.lights.new(name, "AREA")
    lamp.shape = "DISK"
    lamp.size = size
    lamp.energy = power
    lamp.color = linear(colour)
    thing = bpy.data.objects.new(name, lamp)
    thing.location = place
    _look(thing, aim)
    target.objects.link(thing)


def _look(thing: bpy.types.Object, aim: tuple[float, float, float]) -> None:
    thing.rotation_euler = (Vector(aim) - thing.location).to_track_quat("-Z", "Y").to_euler()
