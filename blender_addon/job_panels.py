"""What is under way, as a list: the last panel of the tab, so that its coming and going moves nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from bpy.types import Context, Panel, UILayout

from . import jobs
from .panels import Tab


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
            _draw_job(layout, job)
        if len(jobs.active()) > 1:
            layout.operator("gen3d.cancel", text="Cancel All", icon="X")


def _draw_job(layout: UILayout, job: jobs.Job) -> None:
    column = layout.column(align=True)
    column.label(text=job.label, icon="PAUSE" if job.finish else "SORTTIME" if job.queued else "PLAY")
    row = column.row(align=True)
    row.progress(factor=job.fraction, text=job.text)
    row.operator("gen3d.cancel", text="", icon="X").job = job.number  # pyright: ignore


CLASSES = (GEN3D_PT_jobs,)
