"""Pictures that trainings draw, for the panel: kept beside the user's images, not among them."""

import time
from pathlib import Path

import bpy
import bpy.utils.previews

#: Blender's thumbnails know the seconds of a file's time, no less: a file is shown when its second is over.
SETTLED_SECONDS = 1.5

_previews: bpy.utils.previews.ImagePreviewCollection | None = None
#: By path: the time of the file that is shown.
_shown: dict[Path, int] = {}


def look(*paths: Path) -> bool:
    """Reads those pictures anew that have changed; whether any has."""
    changed = [_look(path) for path in paths]
    return any(changed)


def icon(path: Path) -> int:
    """A picture as Blender numbers icons; 0 where it is not there yet."""
    picture = _previews.get(str(path)) if _previews is not None else None
    return picture.icon_id if picture else 0


def forget(*paths: Path) -> None:
    """Lets go of pictures whose files are about to be deleted."""
    for path in paths:
        if _shown.pop(path, None) is not None and _previews is not None:
            del _previews[str(path)]


def _look(path: Path) -> bool:
    global _previews
    if bpy.app.background:
        return False
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return False
    if _shown.get(path) == changed or time.time() - changed / 1e9 < SETTLED_SECONDS:
        return False
    forget(path)
    if _previews is None:
        _previews = bpy.utils.previews.new()
    _previews.load(str(path), str(path), "IMAGE", True)
    _shown[path] = changed
    return True


def unregister() -> None:
    """Frees them."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
    _shown.clear()
