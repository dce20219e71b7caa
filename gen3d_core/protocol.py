"""The messages between an interface and the engine: framed JSON and raw arrays over a pipe.

A frame is ``G3D1``, the header's length (4 bytes) and the payload's (8 bytes), little-endian, then the header (JSON)
and the payload (the arrays' bytes, one after the other). Standard library and NumPy only: Blender imports this module.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import Gen3DError, ProtocolError

MAGIC = b"G3D1"
PREFIX = struct.Struct("<4sIQ")
MAX_HEADER = 16 * 2**20
MAX_PAYLOAD = 4 * 2**30
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Request:
    """What an interface asks for.

    Args:
        id: unique in a connection; every event of this request carries it.
        task: ``sample``, ``decode``, ``complete`` and so on: a name of :mod:`gen3d_core.worker`'s tasks, or ``cancel``.
        model: id or path of a model; may be empty where none is needed.
        options: plain values.
        arrays: latents, vertices, masks.
        stream: requests of one stream replace one another: of those that wait, only the newest is run.
    """

    id: str
    task: str
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    stream: str = ""


@dataclass(frozen=True)
class Event:
    """What the engine answers.

    Args:
        id: of the request; empty for the engine's own.
        kind: ``ready``, ``progress``, ``result``, ``done``, ``error`` or ``cancelled``. A request ends with exactly one
            of the last three.
        values: plain values.
        arrays: meshes, latents.
    """

    id: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether nothing more comes for the request."""
        return self.kind in ("done", "error", "cancelled")


def error_event(request_id: str, error: Gen3DError) -> Event:
    """An error as an event: its kind, one sentence, a remedy and details to copy."""
    values = {"kind": error.kind, "message": error.message, "remedy": error.remedy, "details": error.details}
    return Event(request_id, "error", values)


def pack(message: Request | Event) -> bytes:
    """A message as the bytes of one frame."""
    header = {"type": type(message).__name__, **vars(message)}
    arrays = {}
    for name, value in message.arrays.items():
        if value.dtype.name not in DTYPES:
            raise ProtocolError(f"Array '{name}' has type {value.dtype}; expected one of {', '.join(DTYPES)}.")
        arrays[name] = np.asarray(value, dtype=value.dtype.newbyteorder("<"))
    header["arrays"] = [[name, value.dtype.name, value.shape] for name, value in arrays.items()]
    head = json.dumps(header, allow_nan=False).encode()
    payload = b"".join(value.tobytes() for value in arrays.values())
    return PREFIX.pack(MAGIC, len(head), len(payload)) + head + payload


def write(stream: BinaryIO, message: Request | Event) -> None:
    """Writes one frame and flushes."""
    stream.write(pack(message))
    stream.flush()


def read(stream: BinaryIO) -> Request | Event | None:
    """The next message of a blocking stream, or None at its end.

    Raises:
        ProtocolError: the bytes are not a message, or they end within one.
    """
    prefix = stream.read(PREFIX.size)
    if not prefix:
        return None
    head_size, payload_size = _sizes(prefix)
    head = stream.read(head_size)
    payload = stream.read(payload_size)
    if len(head) < head_size or len(payload) < payload_size:
        raise ProtocolError("The connection ended in the middle of a message.", "Restart the engine.")
    return _message(head, payload)


class Parser:
    """Cuts a stream that arrives in pieces into messages, without ever waiting."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Request | Event]:
        """The messages that are complete after ``data``.

        Raises:
            ProtocolError: the bytes are not messages.
        """
        self._bytes += data
        messages = []
        while len(self._bytes) >= PREFIX.size:
            head_size, payload_size = _sizes(bytes(self._bytes[: PREFIX.size]))
            end = PREFIX.size + head_size + payload_size
            if len(self._bytes) < end:
                break
            head = bytes(self._bytes[PREFIX.size : PREFIX.size + head_size])
            payload = bytes(self._bytes[PREFIX.size + head_size : end])
            del self._bytes[:end]
            messages.append(_message(head, payload))
        return messages


def _sizes(prefix: bytes) -> tuple[int, int]:
    if len(prefix) < PREFIX.size or prefix[:4] != MAGIC:
        raise ProtocolError(
            "What arrived is not a Gen3D message.", "Restart the engine.", details=f"It starts with {prefix[:16]!r}."
        )
    _, head_size, payload_size = PREFIX.unpack(prefix)
    if head_size > MAX_HEADER or payload_size > MAX_PAYLOAD:
        raise ProtocolError(f"A message of {head_size} + {payload_size} bytes is too long.", "Restart the engine.")
    return head_size, payload_size


def _message(head: bytes, payload: bytes) -> Request | Event:
    try:
        header = json.loads(head)
        kind = {"Request": Request, "Event": Event}[header.pop("type")]
        arrays, offset = {}, 0
        for name, dtype, shape in header["arrays"]:
            if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
                raise ValueError(f"array '{name}' of type {dtype} and shape {shape}")
            stop = offset + math.prod(shape) * np.dtype(dtype).itemsize
            if stop > len(payload):
                raise ValueError(f"array '{name}' goes beyond the payload")
            # frombuffer never evaluates anything: the bytes are numbers and stay numbers.
            values = np.frombuffer(payload[offset:stop], dtype=np.dtype(dtype).newbyteorder("<"))
            arrays[name] = values.reshape(shape)
            offset = stop
        if offset != len(payload):
            raise ValueError(f"{len(payload) - offset} bytes belong to no array")
        header["arrays"] = arrays
        message = kind(**header)
        for entry in fields(message):
            expected = dict if entry.name in ("options", "values", "arrays") else str
            if not isinstance(getattr(message, entry.name), expected):
                raise TypeError(f"'{entry.name}' is not of type {expected.__name__}")
        return message
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError("A message cannot be understood.", "Restart the engine.", details=repr(error)) from error
