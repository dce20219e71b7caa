"""Frames: everything that is sent arrives as it was, and nothing else gets through."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from gen3d_core import protocol
from gen3d_core.errors import BadRequest, ProtocolError
from gen3d_core.protocol import Event, Parser, Request


def message(**arrays: np.ndarray) -> Request:
    return Request("r1", "sample", "model", {"seeds": [1, 2], "text": "Stühle ✓", "none": None}, arrays, "drag")


def frame(header: Any, payload: bytes = b"") -> bytes:
    """A frame with any header, also a wrong one."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return protocol.PREFIX.pack(protocol.MAGIC, len(head), len(payload)) + head + payload


def event(**changes: Any) -> dict[str, Any]:
    return {"type": "Event", "id": "e", "kind": "done", "arrays": [], **changes}


def assert_same(a: Request | Event, b: Request | Event | None) -> None:
    assert type(a) is type(b)
    assert {k: v for k, v in vars(a).items() if k != "arrays"} == {k: v for k, v in vars(b).items() if k != "arrays"}
    assert list(a.arrays) == list(b.arrays)
    for name, value in a.arrays.items():
        assert b.arrays[name].shape == value.shape
        assert b.arrays[name].dtype.name == value.dtype.name
        assert np.array_equal(b.arrays[name], value)


@pytest.mark.parametrize("dtype", protocol.DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_round_trip_of_every_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 2, size=shape)
    sent = message(first=np.asarray(values, dtype=dtype), second=np.arange(3, dtype=np.int32))
    assert_same(sent, protocol.read(io.BytesIO(protocol.pack(sent))))


def test_round_trip_of_special_numbers() -> None:
    sent = Event("e", "result", arrays={"x": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32)})
    got = protocol.read(io.BytesIO(protocol.pack(sent)))
    assert got is not None
    assert got.arrays["x"].tobytes() == sent.arrays["x"].tobytes()


def test_strided_and_foreign_byte_order_arrays_keep_their_values() -> None:
    sent = message(
        strided=np.arange(24.0).reshape(4, 6)[::2, ::-3], big=np.arange(5, dtype=">f4"), f=np.ones((2, 3), order="F")
    )
    assert_same(sent, protocol.read(io.BytesIO(protocol.pack(sent))))


def test_events_and_requests_follow_one_another_and_the_end_is_none() -> None:
    sent = [message(a=np.zeros(3)), Event("r1", "progress", {"fraction": 0.5}), Event("r1", "done")]
    stream = io.BytesIO()
    for one in sent:
        protocol.write(stream, one)
    stream.seek(0)
    for one in sent:
        assert_same(one, protocol.read(stream))
    assert protocol.read(stream) is None


def test_fragments_byte_by_byte_and_all_at_once() -> None:
    sent = [message(a=np.arange(7.0)), Event("r1", "done"), message()]
    data = b"".join(protocol.pack(one) for one in sent)
    pieces, whole = Parser(), Parser()
    slowly = [found for i in range(len(data)) for found in pieces.feed(data[i : i + 1])]
    at_once = whole.feed(data)
    for one, a, b in zip(sent, slowly, at_once, strict=True):
        assert_same(one, a)
        assert_same(one, b)
    assert pieces.feed(b"") == []


def test_a_message_appears_with_its_last_byte_only() -> None:
    data = protocol.pack(message(a=np.arange(7.0)))
    parser = Parser()
    assert parser.feed(data[:-1]) == []
    assert len(parser.feed(data[-1:])) == 1


@pytest.mark.parametrize("garbage", [b"hello, this is no message", b"G3D2" + bytes(60), bytes(16)])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a Gen3D message"):
        protocol.read(io.BytesIO(garbage))
    with pytest.raises(ProtocolError, match="not a Gen3D message"):
        Parser().feed(garbage)


@pytest.mark.parametrize("sizes", [(protocol.MAX_HEADER + 1, 0), (2, protocol.MAX_PAYLOAD + 1)])
def test_too_long_is_refused_before_it_is_read(sizes: tuple[int, int]) -> None:
    prefix = protocol.PREFIX.pack(protocol.MAGIC, *sizes)
    with pytest.raises(ProtocolError, match="too long"):
        protocol.read(io.BytesIO(prefix))
    with pytest.raises(ProtocolError, match="too long"):
        Parser().feed(prefix)


def test_truncated_at_every_byte() -> None:
    data = protocol.pack(message(a=np.arange(3, dtype=np.float32)))
    for length in range(1, len(data)):
        with pytest.raises(ProtocolError):
            protocol.read(io.BytesIO(data[:length]))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        [],
        {},
        event(type="Pickle"),
        event(type=["Event"]),
        event(unknown=1),
        event(id=7),
        event(kind=None),
        event(values=[1]),
        event(arrays=None),
        event(arrays=[["a", "float32"]]),
        event(arrays=[["a", "object", [1]]]),
        event(arrays=[["a", "float32", [-1]]]),
        event(arrays=[["a", "float32", [1.5]]]),
        event(arrays=[["a", "float32", [3]]]),
        event(arrays=[["a", "float32", [10**30]]]),
        event(arrays=[["a", "float32", [2**40, 2**40]]]),
        event(arrays=[["a", "float32", [1]]]),
        {"type": "Request", "id": "r", "task": "cancel", "options": [], "arrays": [["a", "float64", [1]]]},
    ],
    ids=lambda header: str(header)[:60],
)
def test_headers_that_cannot_be_understood_are_refused(header: Any) -> None:
    with pytest.raises(ProtocolError, match="cannot be understood"):
        protocol.read(io.BytesIO(frame(header, bytes(8))))


def test_the_header_that_the_refused_ones_vary_is_accepted() -> None:
    got = protocol.read(io.BytesIO(frame(event(arrays=[["a", "float32", [2]]]), bytes(8))))
    assert isinstance(got, Event)
    assert got.arrays["a"].tolist() == [0, 0]


def test_arrays_of_objects_are_not_sent() -> None:
    with pytest.raises(ProtocolError, match="object"):
        protocol.pack(message(a=np.array([{}], dtype=object)))


def test_an_error_becomes_an_event_with_all_its_parts() -> None:
    got = protocol.error_event("r", BadRequest("Too large.", "Use less.", "at 3"))
    assert got.final
    assert got.values == {"kind": "bad-request", "message": "Too large.", "remedy": "Use less.", "details": "at 3"}


def test_only_the_last_events_are_final() -> None:
    assert [
        kind for kind in ("ready", "progress", "result", "done", "error", "cancelled") if Event("", kind).final
    ] == [
        "done",
        "error",
        "cancelled",
    ]
