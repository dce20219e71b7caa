"""The two ends of the engine's pipes that Blender holds: reading and writing that never wait.

Blender does not support Python threads, so a full or an empty pipe has to be an answer and not a pause.
"""

import os
import select
import sys
import time
from typing import IO

#: At most so many bytes are read at once.
READ_BYTES = 1 << 20

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _PIPE_NOWAIT = 1
    # The size of an anonymous pipe: an empty one takes so much at once, where more might never fit.
    _WRITE_BYTES = 4096

    def _handle(pipe: IO[bytes]) -> wintypes.HANDLE:
        return wintypes.HANDLE(msvcrt.get_osfhandle(pipe.fileno()))

    def prepare(reading: IO[bytes], writing: IO[bytes]) -> None:
        """Makes both ends answer at once."""
        mode = wintypes.DWORD(_PIPE_NOWAIT)
        if not _kernel.SetNamedPipeHandleState(_handle(writing), ctypes.byref(mode), None, None):
            raise ctypes.WinError(ctypes.get_last_error())

    def read(pipe: IO[bytes]) -> bytes:
        """What is there now, maybe nothing.

        Raises:
            EOFError: the other end is closed, and everything was read.
        """
        available = wintypes.DWORD(0)
        if not _kernel.PeekNamedPipe(_handle(pipe), None, 0, None, ctypes.byref(available), None):
            raise EOFError
        return os.read(pipe.fileno(), min(available.value, READ_BYTES)) if available.value else b""

    def write(pipe: IO[bytes], data: memoryview) -> int:
        """Writes what fits now; returns how many bytes that were.

        Raises:
            BrokenPipeError: the other end is closed.
        """
        written = wintypes.DWORD(0)
        piece = bytes(data[:_WRITE_BYTES])
        if not _kernel.WriteFile(_handle(pipe), piece, len(piece), ctypes.byref(written), None):
            raise BrokenPipeError
        return written.value

    def wait(reading: IO[bytes], writing: IO[bytes] | None, seconds: float) -> None:
        """Pauses until there may be something to read or, with ``writing``, room to write, at most ``seconds``."""
        time.sleep(min(seconds, 0.002))

else:

    def prepare(reading: IO[bytes], writing: IO[bytes]) -> None:
        """Makes both ends answer at once."""
        os.set_blocking(reading.fileno(), False)
        os.set_blocking(writing.fileno(), False)

    def read(pipe: IO[bytes]) -> bytes:
        """What is there now, maybe nothing.

        Raises:
            EOFError: the other end is closed, and everything was read.
        """
        try:
            data = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            raise EOFError
        return data

    def write(pipe: IO[bytes], data: memoryview) -> int:
        """Writes what fits now; returns how many bytes that were.

        Raises:
            BrokenPipeError: the other end is closed.
        """
        try:
            return os.write(pipe.fileno(), data)
        except BlockingIOError:
            return 0

    def wait(reading: IO[bytes], writing: IO[bytes] | None, seconds: float) -> None:
        """Pauses until there may be something to read or, with ``writing``, room to write, at most ``seconds``."""
        select.select([reading], [writing] if writing else [], [], seconds)
