"""The engine as a process that serves an interface."""

from .process import Worker, serve

__all__ = ["Worker", "serve"]
