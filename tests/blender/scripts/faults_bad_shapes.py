"""A model that draws nothing, or what are no numbers, or meets what nobody thought of: nothing half made is left."""

import bpy
from support import begin, caught, clear, enable, engine_process, fails, fault, module, select, state, until, works

enable()
api, jobs, status = module("api"), module("jobs"), module("status").status
clear()
bpy.ops.mesh.primitive_cube_add()
select(bpy.context.active_object)
works()
process, before = engine_process(), state()

CASES = (
    ("empty", "empty-shape", "field is empty at resolution 32", "Try another seed"),
    ("not a number", "empty-shape", "values that are not numbers", "Try another seed"),
    ("surprise", "error", "unexpected problem", "Copy the report"),
)
for name, kind, sentence, remedy in CASES:
    with fails(sentence, remedy):
        bpy.ops.gen3d.generate(model="toy-faulty", category=name, count=3, resolution=32)
    begin("Generate", fault(name))
    until(lambda: not jobs.active())
    assert status.error.kind == kind, (status.error.kind, status.error)
    assert sentence in status.error.message
    assert state() == before
    works()
assert engine_process() is process, "for that nothing has to be started anew"

# What nobody thought of is in the report, with the place where it happened.
error = caught(lambda: api.generate("toy-faulty", (1, 2), 32, category="surprise"))
assert "nobody expected this" in error.details
assert "nobody expected this" in module("engine_operators").report()

# The good ones of many are not made either: what was asked for came whole, or not at all.
assert len(api.generate("toy-faulty", (1, 2), 32, category="well")) == 2
