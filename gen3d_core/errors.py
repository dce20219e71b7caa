"""Errors written for people: what happened, what was expected, what to do."""


class Gen3DError(Exception):
    """Something a person can understand and repair.

    Args:
        message: one sentence: what happened, and what was expected.
        remedy: one sentence: what to do about it.
        details: more for a report; may be empty.
    """

    kind = "error"

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
        self.details = details


class BadRequest(Gen3DError):
    """An option or an argument that cannot be used."""

    kind = "bad-request"


class UnknownModel(Gen3DError):
    """No model of that name in the zoo."""

    kind = "unknown-model"


class BadModel(Gen3DError):
    """A model folder whose files are missing, damaged, unsafe or do not fit together."""

    kind = "bad-model"


class Unsupported(Gen3DError):
    """A model that does not have the ability that was asked for."""

    kind = "unsupported"


class BadMesh(Gen3DError):
    """A mesh that cannot be read as a solid."""

    kind = "bad-mesh"


class EmptyShape(Gen3DError):
    """A generated field without a surface, or with values that are not numbers."""

    kind = "empty-shape"


class OutOfMemory(Gen3DError):
    """More memory was asked for than there is."""

    kind = "out-of-memory"


class ProtocolError(Gen3DError):
    """Bytes on the pipe that are not a message."""

    kind = "protocol"


class EngineError(Gen3DError):
    """A Python that cannot run the engine, or an engine process that stopped."""

    kind = "engine"
