"""What models say of assets: the class of one, and labels for many from a few examples."""

import bpy
from support import clear, enable, fails, module, select, state

enable()
api, findings = module("api"), module("findings")
clear()


def add(kind: str, name: str, x: float, scale: tuple[float, float, float]) -> bpy.types.Object:
    """A primitive of some size."""
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(location=(x, 0, 0))
    obj = bpy.context.active_object
    obj.name, obj.scale = name, scale
    return obj


# The class of one: probabilities, the highest first; nothing in the scene changes.
cone = add("cone", "Cone", 0, (1, 1, 1))
cone.location.z = 3
bpy.context.view_layer.update()
select(cone)
before = state()
found = api.classify(cone)
assert state() == before
assert [chance.name for chance in found.chances] == ["lump", "blob"], "a cone's greater part is below"
assert abs(sum(chance.probability for chance in found.chances) - 1) < 1e-5
assert found.chances[0].probability > 0.6
assert (found.name, found.uid, found.model) == ("Cone", cone.session_uid, "Toy Able")
findings.show_classification(None)
assert bpy.ops.gen3d.classify() == {"FINISHED"}
assert findings.classification() == found
cone.rotation_euler.x = 3.14159
bpy.context.view_layer.update()
assert api.classify(cone).chances[0].name == "blob"
with fails("'Toy Blobs' cannot tell what a shape is", "Choose 'Toy Able'"):
    bpy.ops.gen3d.classify(model="toy-blobs")

# Labels: two examples are enough to tell poles from plates; the examples keep theirs.
clear()
poles = [add("cylinder", f"Pole {i}", 4 * i, (0.2 + 0.02 * i, 0.2, 1)) for i in range(4)]
plates = [add("cylinder", f"Plate {i}", 4 * i, (1, 1 - 0.05 * i, 0.15)) for i in range(4, 8)]
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
bpy.context.collection.objects.link(camera)
bpy.context.view_layer.update()
everything = [*poles, *plates, camera]
select(*everything)
with fails("The assets have 0 different labels; expected at least 2.", "give it a label"):
    bpy.ops.gen3d.label()
select(poles[0])
assert bpy.ops.gen3d.set_label(label=" pole ") == {"FINISHED"}
assert poles[0].gen3d.label == "pole"
select(*everything)
with fails("The assets have 1 different label; expected at least 2.", "give it a label"):
    bpy.ops.gen3d.label()
select(plates[0])
assert bpy.ops.gen3d.set_label(label="plate") == {"FINISHED"}
found = api.label(everything)
assert [guess.name for guess in found.guesses] == [obj.name for obj in (*poles[1:], *plates[1:])]
assert [guess.label for guess in found.guesses] == ["pole"] * 3 + ["plate"] * 3
assert all(0.5 < guess.probability <= 1 for guess in found.guesses)
assert [name for name, _ in found.refused] == ["Camera"]
assert "2 examples" in found.sentence
assert [obj.gen3d.guess for obj in (*poles, *plates)] == ["", *["pole"] * 3, "", *["plate"] * 3]
assert abs(poles[1].gen3d.probability - found.guesses[0].probability) < 1e-6
assert poles[1].gen3d.label == "", "a guess became an example"

# The button does the same, in one undo step; a click on a row selects; the artist's word counts more than a guess.
for obj in everything:
    obj.gen3d.guess = ""
select(*everything)
bpy.ops.ed.undo_push(message="before")
assert bpy.ops.gen3d.label("EXEC_DEFAULT", True) == {"FINISHED"}
assert findings.labelling().guesses == found.guesses
assert bpy.data.objects["Pole 1"].gen3d.guess == "pole"
bpy.ops.ed.undo()
assert bpy.data.objects["Pole 1"].gen3d.guess == ""
bpy.ops.ed.redo()
group = bpy.context.window_manager.gen3d
assert [row.name for row in group.labelled] == [guess.name for guess in found.guesses]
group.guess = 4
assert bpy.context.view_layer.objects.active.name == found.guesses[4].name
assert bpy.ops.gen3d.set_label(label="tray") == {"FINISHED"}
tray = bpy.context.view_layer.objects.active
assert (tray.gen3d.label, tray.gen3d.guess) == ("tray", "")
select(*(obj for obj in bpy.data.objects if obj.gen3d.label))
with fails("Every asset has a label.", "without one"):
    bpy.ops.gen3d.label()
bpy.ops.wm.read_homefile(app_template="", use_empty=True)
assert findings.labelling() is None
assert findings.classification() is None
assert len(bpy.context.window_manager.gen3d.labelled) == 0
