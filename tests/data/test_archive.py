"""Zip files: what is opened, and what is not."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from gen3d_core.data import archive
from gen3d_core.errors import BadMesh, BadRequest


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def problems(path: Path) -> dict[str, str]:
    return {entry.name: entry.problem for entry in archive.entries(path)}


def test_files_are_listed_by_name_and_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"b.obj": b"two", "deep/er/ä 🪑.obj": b"one", "folder/": b""})
    assert problems(path) == {"b.obj": "", "deep/er/ä 🪑.obj": ""}
    assert archive.read(path, "deep/er/ä 🪑.obj") == b"one"


@pytest.mark.parametrize(
    "name", ["../out.obj", "deep/../../out.obj", "/etc/out.obj", "C:/out.obj", "..\\out.obj", "\\\\server\\out.obj"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.zip", {name: b"v 0 0 0", "good.obj": b"x"})
    found = problems(path)
    assert found.pop("good.obj") == ""
    ((kept, problem),) = found.items()
    assert problem == "Its name leads out of the zip."
    with pytest.raises(BadMesh, match="leads out"):
        archive.read(path, kept)


def test_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.obj")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    assert problems(tmp_path / "a.zip") == {"link.obj": "It is a link or a device, not a file."}
    with pytest.raises(BadMesh, match="link"):
        archive.read(tmp_path / "a.zip", "link.obj")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"secret.obj": b"v 0 0 0"})
    data = bytearray(path.read_bytes())
    # The flag of encryption, in the entry's own header and in the directory.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert problems(path) == {"secret.obj": "It is encrypted."}
    with pytest.raises(BadMesh, match="encrypted"):
        archive.read(path, "secret.obj")


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"bomb.obj": bytes(20 << 20), "good.obj": b"x" * 100})
    found = problems(path)
    assert found["good.obj"] == ""
    assert "bomb" in found["bomb.obj"]
    with pytest.raises(BadMesh, match="bomb"):
        archive.read(path, "bomb.obj")


def test_an_entry_that_lies_about_its_size_is_cut(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"bomb.obj": bytes(20 << 20)})
    data = bytearray(path.read_bytes())
    for start, field in ((0, 22), (data.index(b"PK\x01\x02"), 24)):
        data[start + field : start + field + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with pytest.raises(BadMesh, match="damaged"):
        archive.read(path, "bomb.obj")


def test_too_much_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "a.zip", {f"{i}.obj": b"0123456789" for i in range(12)})
    monkeypatch.setattr(archive, "MOST_ENTRIES", 11)
    with pytest.raises(BadRequest, match="12 entries; at most 11"):
        archive.entries(path)
    monkeypatch.setattr(archive, "MOST_ENTRIES", 12)
    monkeypatch.setattr(archive, "MOST_BYTES", 119)
    with pytest.raises(BadRequest, match="unpacks to"):
        archive.entries(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.obj", "one")
        file.writestr("a.obj", "two")
    assert set(problems(tmp_path / "a.zip").values()) == {"The zip has two files of this name."}


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut off"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BadRequest, match=r"a\.zip"):
        archive.entries(tmp_path / "a.zip")


def test_a_damaged_entry_is_told(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.obj": bytes(range(256)) * 20})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadMesh, match="damaged"):
        archive.read(path, "a.obj")
    with pytest.raises(BadMesh, match=r"no file 'b\.obj'"):
        archive.read(path, "b.obj")


def test_files_beside_an_entry(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"x/chair.gltf": b"", "x/my chair.bin": b"1", "shared/all.bin": b"2"})
    fetch = archive.beside(path, "x/chair.gltf")
    assert fetch("my%20chair.bin") == b"1"
    assert fetch("../shared/all.bin") == b"2"
    for uri in ("../../etc/passwd", "/etc/passwd", "file:///etc/passwd"):
        with pytest.raises(BadMesh):
            fetch(uri)
    with pytest.raises(BadMesh, match="no file"):
        fetch("nothing.bin")
