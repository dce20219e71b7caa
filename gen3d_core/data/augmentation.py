"""Variations of an asset by geometry: other proportions, a slight bend, mirrored, turned about the vertical."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import BadRequest
from ..representations import Mesh
from .grids import Grid
from .solid import Solid, fit

if TYPE_CHECKING:
    from ..system import Asset


@dataclass(frozen=True)
class Augmentation:
    """What may change. The front stays in front, unless ``rotate`` says that the assets have none.

    Args:
        rotate: turns about the vertical by any angle.
        mirror: swaps left and right in half of the variations.
        scale: the logarithm of each axis' factor is uniform in [-scale, scale]; the shape is fitted again.
        bend: the top leans into a direction of its own by at most this share of the height, the floor stays.

    Raises:
        BadRequest: a scale or a bend outside [0, 1].
    """

    rotate: bool = False
    mirror: bool = True
    scale: float = 0.08
    bend: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("scale", self.scale), ("bend", self.bend)):
            if not 0 <= value <= 1:
                raise BadRequest(f"The augmentation's {name} is {value}; expected 0 to 1.", "Try 0.05.")

    def apply(self, mesh: Mesh, generator: np.random.Generator) -> Mesh:
        """A variation of a mesh, fitted into the engine's cube as all assets are.

        Args:
            mesh: in the engine's frame.
            generator: drawn from the same number of times, whatever may change.
        """
        change = self._draw(generator)
        faces = mesh.faces[:, ::-1] if change.mirrored else mesh.faces
        return Mesh(change.moved(mesh.vertices).astype(np.float32), np.ascontiguousarray(faces))

    def _draw(self, generator: np.random.Generator) -> _Change:
        turn, side, direction, amount = generator.random(4)
        factors = np.exp(self.scale * (2 * generator.random(3) - 1))
        mirrored = self.mirror and side < 0.5
        angle = 2 * np.pi * direction
        lean = self.bend * amount * np.array([np.cos(angle), np.sin(angle)])
        return _Change(2 * np.pi * turn if self.rotate else 0.0, mirrored, factors, lean)


@dataclass(frozen=True)
class _Change:
    """One draw: an angle in radians, whether mirrored, factors (3,) and the top's displacement per height (2,)."""

    angle: float
    mirrored: bool
    factors: NDArray[np.float64]
    lean: NDArray[np.float64]

    def moved(self, vertices: NDArray) -> NDArray[np.float64]:
        """Vertices (V, 3) after the change, fitted."""
        points = np.asarray(vertices, dtype=np.float64) * self.factors
        if self.mirrored:
            points[:, 0] = -points[:, 0]
        low, high = points[:, 2].min(), points[:, 2].max()
        height = high - low
        if height > 0:
            # A parabola, upright at the floor: what stands keeps standing.
            points[:, :2] += self.lean * height * ((points[:, 2:] - low) / height) ** 2
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        points[:, :2] = points[:, :2] @ np.array([[cosine, sine], [-sine, cosine]])
        return fit(points).inward(points).astype(np.float64)


def augmented(asset: Asset, augmentation: Augmentation, seed: int) -> Asset:
    """A variation of an artist's asset; the same seed gives the same one.

    A shape of the catalogue is given back as it is: its variations are the catalogue's other seeds.

    Args:
        asset: a solid, or a grid, which becomes the solid of its surface.
        augmentation: what may change.
        seed: 0 or more.
    """
    if isinstance(asset, Grid):
        asset = Solid(asset.mesh)
    if not isinstance(asset, Solid):
        return asset
    change = augmentation._draw(np.random.Generator(np.random.PCG64(seed)))
    known = asset.repaired
    # Which faces are walls and which are sheets does not change, so it is not found anew.
    faces = np.ascontiguousarray(known.faces[:, ::-1]) if change.mirrored else known.faces
    return Solid.of(replace(known, vertices=change.moved(known.vertices), faces=faces), asset.notes, asset.thinnest)
