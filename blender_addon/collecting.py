"""Assets on their way to a training: from the scene or from files, a few at a time, into a folder of PLY files.

Blender stays fluid: the clock calls :meth:`Collecting.step`, and each step reads one asset. What cannot be used is
kept with the reason. Files of the kinds that the engine reads itself are left to it; FBX files are read by Blender's
own importer into data that is gone again when the step ends.
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import bpy
from bpy.types import Object

from ..gen3d_core.errors import BadMesh, BadRequest
from . import assets, objects, ply
from .assets import Asset

NAMES = "names.json"
FBX = ".fbx"
#: An archive that unpacks to more than that is taken for one that is meant to fill the disk.
ARCHIVE_BYTES = 8 << 30


@dataclass(frozen=True)
class Source:
    """Where assets come from: objects, or a path.

    Args:
        title: what the artist calls it.
        tops: ``session_uid`` and name of each object that an asset is named after.
        path: a folder, a zip or a file; None for objects.
    """

    title: str
    tops: Sequence[tuple[int, str]] = ()
    path: Path | None = None

    @classmethod
    def of(cls, title: str, tops: Sequence[Object]) -> "Source":
        """Objects of the scene.

        Raises:
            BadRequest: there are none.
        """
        if not tops:
            raise BadRequest("There are no assets.", "Select objects, or choose a collection with some.")
        return cls(title, [(obj.session_uid, obj.name) for obj in tops])

    @classmethod
    def on_disk(cls, path: Path) -> "Source":
        """Files.

        Raises:
            BadRequest: there is nothing at ``path``.
        """
        if not path.exists():
            raise BadRequest(f"There is nothing at {path}.", "Choose a folder, a zip or a mesh file.")
        return cls(path.name, path=path)


class Collecting:
    """A folder of assets in the making.

    Args:
        source: where they come from.
        folder: where they go; it is made.

    Raises:
        BadRequest: an archive that is damaged, or that would fill the disk.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.refused: list[tuple[str, str]] = []
        self.names: dict[str, str] = {}
        self.libraries: dict[str, str] = {}
        #: What the engine reads: our folder, or the artist's own where nothing of it needs Blender.
        self.data = folder
        self._steps: list[tuple[str, Callable[[], None]]] = []
        if source.path is None:
            self._steps = [(name, lambda uid=uid, name=name: self._object(uid, name)) for uid, name in source.tops]
        elif needs_blender(source.path):
            self._steps = self._files(source.path)
        else:
            self.data = source.path
        self.total = len(self._steps)
        if self.total:
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def done(self) -> int:
        """How many assets were looked at."""
        return self.total - len(self._steps)

    def step(self) -> bool:
        """Reads the next asset; whether there are more."""
        if self._steps:
            name, read = self._steps.pop(0)
            try:
                read()
            except (BadMesh, BadRequest) as error:
                self.refused.append((name, error.message))
        if not self._steps and self.names:
            text = json.dumps(self.names, ensure_ascii=False, indent=1)
            (self.folder / NAMES).write_text(text, encoding="utf-8")
        return bool(self._steps)

    def check(self) -> None:
        """Checks that something came of it.

        Raises:
            BadRequest: no asset can be used.
        """
        if self.total and not any(self.folder.iterdir()):
            reasons = "\n".join(f"{name}: {reason}" for name, reason in self.refused)
            first, reason = self.refused[0]
            raise BadRequest(f"No asset can be used. '{first}': {reason}", "Choose objects that have faces.", reasons)

    @property
    def notes(self) -> list[str]:
        """What the artist should know, in sentences."""
        if not self.libraries:
            return []
        files = ", ".join(sorted(set(self.libraries.values())))
        count = len(self.libraries)
        return [f"{count} of the assets {'is' if count == 1 else 'are'} linked from {files}: read, not changed."]

    def _object(self, uid: int, name: str) -> None:
        obj = objects.find(uid, name)
        if obj is None:
            raise BadMesh("It was deleted meanwhile.")
        asset = assets.read(obj)
        if asset.library:
            self.libraries[name] = asset.library
        scene = bpy.context.scene
        assert scene is not None
        self._write(asset, scene.unit_settings.scale_length)

    def _write(self, asset: Asset, metres: float) -> None:
        stem = f"asset-{len(self.names) + 1:04}"
        self.names[stem] = asset.name
        ply.write(self.folder / f"{stem}.ply", asset.vertices * metres, asset.faces)

    def _files(self, path: Path) -> list[tuple[str, Callable[[], None]]]:
        """A step for each file: FBX files are imported, the others are copied for the engine."""
        if zipfile.is_zipfile(path):
            return self._archive(path)
        if path.is_file():
            return [(path.name, lambda: self._fbx(path))]
        found = sorted(one for one in path.rglob("*") if one.is_file() and not one.is_symlink())
        return [
            (one.name, lambda one=one: self._fbx(one) if _is_fbx(one.name) else self._copy(one, one.relative_to(path)))
            for one in found
        ]

    def _archive(self, path: Path) -> list[tuple[str, Callable[[], None]]]:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > ARCHIVE_BYTES:
            raise BadRequest(
                f"{path.name} would unpack to more than {ARCHIVE_BYTES >> 30} GB.", "Unpack it yourself, or split it."
            )
        return [(member.filename, lambda member=member: self._member(path, member)) for member in members]

    def _member(self, path: Path, member: zipfile.ZipInfo) -> None:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise BadMesh("Its path leads out of the archive.")
        extracted = self.folder / "files" / place
        extracted.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as source, extracted.open("wb") as target:
                shutil.copyfileobj(source, target)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise BadMesh(f"It cannot be unpacked: {error}.") from error
        if _is_fbx(member.filename):
            try:
                self._fbx(extracted)
            finally:
                extracted.unlink()

    def _copy(self, path: Path, place: Path) -> None:
        target = self.folder / "files" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            raise BadMesh(f"It cannot be read: {error.strerror or error}.") from error

    def _fbx(self, path: Path) -> None:
        with imported(path) as (given, graph):
            self._write(assets.joined(path.stem, given, graph), 1.0)


def needs_blender(path: Path) -> bool:
    """Whether there are files at a path that the engine cannot read, and Blender can."""
    if path.is_dir():
        return any(_is_fbx(one.name) for one in path.rglob("*"))
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return any(_is_fbx(name) for name in archive.namelist())
        except (OSError, zipfile.BadZipFile) as error:
            raise BadRequest(f"{path.name} is a damaged archive: {error}.", "Make the zip again.") from error
    return _is_fbx(path.name)


@contextmanager
def imported(path: Path) -> Iterator[tuple[list[Object], bpy.types.Depsgraph]]:
    """What Blender reads from an FBX file, in a scene of its own; all of it is gone again in the end.

    Raises:
        BadMesh: Blender cannot read it.
    """
    before = {one.session_uid for one in _everything()}
    try:
        scene = bpy.data.scenes.new("Gen3D import")
        layer = scene.view_layers[0]
        with bpy.context.temp_override(scene=scene, view_layer=layer):
            try:
                # Every name is an attribute of a group of operators; the list tells which there are.
                if "fbx_import" in dir(bpy.ops.wm):
                    bpy.ops.wm.fbx_import(filepath=str(path))
                else:
                    bpy.ops.import_scene.fbx(filepath=str(path))
            except RuntimeError as error:
                raise BadMesh(f"Blender cannot read it: {str(error).strip()}") from error
            layer.update()
            assert layer.depsgraph
            yield list(scene.objects), layer.depsgraph
    finally:
        new = [one for one in _everything() if one.session_uid not in before]
        bpy.data.batch_remove(new)


def _everything() -> Iterator[bpy.types.ID]:
    """All data of the open file."""
    for name, kind in bpy.data.bl_rna.properties.items():
        if kind.type == "COLLECTION":
            yield from getattr(bpy.data, name)


def _is_fbx(name: str) -> bool:
    return name.lower().endswith(FBX)
