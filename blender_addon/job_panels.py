"""What is under way, as a list: the last panel of the tab, so that its coming and going moves nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from bpy.types import Context, Panel, UILayout

from . import jobs
from .panels import Tab
from .text import draw_text, letters


class GEN3D_PT_jobs(Tab, Panel):  # noqa: N801 - Blender's rule for names
    """Every task, in the order in which the engine does them."""

    bl_label = "Jobs"
    bl_order = 100

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is anything to list."""
        return bool(jobs.active())

    def draw(self, context: Context) -> None:
        """See the class."""
        layout = self.layout
        assert layout is not None
        for job in jobs.active():
            _draw_job(layout, context, job)
        if len(jobs.active()) > 1:
            layout.operator("gen3d.cancel", text="Cancel All", icon="X")


def _draw_job(layout: UILayout, context: Context, job: jobs.Job) -> None:
    column = layout.column(align=True)
    if job.held:
        _draw_held(column, context, job)
        return
    column.label(text=job.label, icon="PAUSE" if job.finish else "SORTTIME" if job.queued else "PLAY")
    row = column.row(align=True)
    row.progress(factor=job.fraction, text=job.text)
    row.operator("gen3d.cancel", text="", icon="X").job = job.number  # pyright: ignore


def _draw_held(column: UILayout, context: Context, job: jobs.Job) -> None:
    """A result that cannot be put where it belongs, and what can be done with it."""
    column.label(text=job.label, icon="PAUSE")
    draw_text(column, f"{job.waits_for}.", letters(context))
    # One under the other: beside one another they do not fit into a sidebar of the usual width.
    if job.can_be_anew:
        column.operator("gen3d.add_held", icon="ADD").job = job.number  # pyright: ignore
    column.operator("gen3d.cancel", text="Drop", icon="X").job = job.number  # pyright: ignore


CLASSES = (GEN3D_PT_jobs,)
