"""What moves in a latent space change on average, and the moves that change one attribute and leave others alone.

Attributes go together in samples that a move need not bring together, so what predicts an attribute is not what changes
it. Latents are moved there and back in random directions c, and the mean Jacobian J is regressed on what that changes:

    y(z + c) - y(z - c) = 2 J c + noise

c lies in a small space, in coordinates in which the prior is N(0, I): the patterns Sigma w_i of regressions (Haufe et
al. 2014, "On the interpretation of weight vectors of linear models in multivariate neuroimaging"), the same without one
another, and the latents' first principal axes. Of all directions with J d_i = e_i, the likeliest in the prior is

    d_i = J^T (J J^T + epsilon I)^-1 e_i

scaled to J_i . d_i = 1. As in the conditional manipulation of Shen, Gu, Tang, Zhou (2020, "Interpreting the Latent
Space of GANs for Semantic Face Editing"), one attribute leaves the others alone, but only those which geometry lets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from . import dimensions
from .effects import Floats
from .slopes import FEWEST, Samples, ridge

#: Two attributes that moves change so alike are one, and two directions that lead to the same place: cosines.
SAME, ALIKE = 0.95, 0.8
#: Weight of the prior beside the attributes that are to stay.
EPSILON = 0.003
#: So many principal axes are looked at, and what of a direction others must leave for it to count.
AXES, NEW = 12, 0.15
#: What may change along with an attribute, as one holds the other.
ALONG: Mapping[str, frozenset[str]] = {
    **{name: frozenset({"Fullness"}) for name in dimensions.NAMES},
    "Height": frozenset({"Seat Height", "Back Height", "Fullness"}),
    "Seat Height": frozenset({"Height", "Fullness"}),
    "Back Height": frozenset({"Height", "Fullness"}),
    "Fullness": frozenset({"Leg Thickness", "Top Thickness"}),
}


@dataclass(frozen=True)
class Space:
    """Directions that are worth a look.

    Args:
        basis: with shape (S, L); a combination of its rows with coefficients c is |c| standard deviations long.
    """

    basis: Floats

    @classmethod
    def around(cls, samples: Samples) -> Space:
        """What the regressions point to, and the first principal axes."""
        variances, axes = np.linalg.eigh(samples.covariance)
        scale = axes * np.sqrt(variances.clip(0))
        weights = samples.weights[[dimensions.NAMES.index(name) for name in samples.scores]]
        # In numbers of which the prior's are standard normal.
        patterns = weights @ scale
        apart = np.linalg.solve(patterns @ patterns.T + EPSILON * np.eye(len(patterns)), patterns)
        first = np.eye(len(variances))[::-1][:AXES]
        candidates = np.concatenate([patterns, apart, first])
        candidates /= np.linalg.norm(candidates, axis=1, keepdims=True).clip(1e-12)
        _, held, rows = np.linalg.svd(candidates, full_matrices=False)
        basis = np.zeros((int((held > NEW).sum()), samples.latents.shape[1]))
        basis[:, samples.moving] = rows[: len(basis)] @ scale.T
        return cls(basis)


@dataclass(frozen=True)
class Chosen:
    """Directions of attributes, as a Jacobian has them.

    Args:
        rows: with shape (K, S), coefficients in a :class:`Space`.
        targets: the attribute of each, by its place in :data:`.dimensions.NAMES`.
        merged: attributes without a direction of their own, and which they go with.
    """

    rows: Floats
    targets: Sequence[int]
    merged: Mapping[int, int]


@dataclass(frozen=True)
class Jacobian:
    """What moves change on average.

    Args:
        moves: with shape (P, S), coefficients in a :class:`Space`.
        changes: with shape (P, A), in units: half of what lies between there and back; not a number where a shape has
            no such attribute.
        matrix: with shape (A, S).
    """

    moves: Floats
    changes: Floats
    matrix: Floats

    @classmethod
    def of(cls, moves: Floats, changes: Floats) -> Jacobian:
        """The ridge regression of changes on moves; 0 of attributes that too few shapes have."""
        matrix = np.zeros((changes.shape[1], moves.shape[1]))
        for i, column in enumerate(changes.T):
            has = np.isfinite(column)
            if has.sum() >= FEWEST:
                matrix[i] = ridge(moves[has], column[has])
        return cls(moves, changes, matrix)

    def more(self, moves: Floats, changes: Floats) -> Jacobian:
        """The Jacobian after further moves."""
        return Jacobian.of(np.concatenate([self.moves, moves]), np.concatenate([self.changes, changes]))

    def apart(self, target: int, held: Sequence[int]) -> Floats:
        """The direction (S,) that changes an attribute by one unit, and as little as may be of those that are held."""
        rows = [target, *fixed(target, held)]
        some = self.matrix[rows]
        found = some.T @ np.linalg.solve(some @ some.T + EPSILON * np.eye(len(rows)), np.eye(len(rows))[0])
        return found / max(float(self.matrix[target] @ found), 1e-6)

    def chosen(self, samples: Samples) -> Chosen:
        """The directions of what samples predict; of two that go together, without the less predictable one."""
        held = samples.held
        targets = [dimensions.NAMES.index(name) for name in samples.scores]
        merged: dict[int, int] = {}
        while True:
            rows = np.zeros((len(targets), self.moves.shape[1]))
            for k, target in enumerate(targets):
                rows[k] = self.apart(target, held)
            pair = self._together(targets, held, rows)
            if not pair:
                return Chosen(rows, targets, merged)
            # Of two that are predicted alike, the one that an interface shows first stays.
            worse, other = sorted(pair, key=lambda i: (round(samples.scores.get(dimensions.NAMES[i], 0.0), 1), -i))
            if worse in targets:
                merged[worse] = other
            targets, held = [i for i in targets if i != worse], [i for i in held if i != worse]

    def _together(self, targets: Sequence[int], held: Sequence[int], rows: Floats) -> tuple[int, ...]:
        """Two attributes that no direction tells apart; empty where there are none."""
        unit = self.matrix / np.linalg.norm(self.matrix, axis=1, keepdims=True).clip(1e-9)
        directions = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
        for k, target in enumerate(targets):
            for other in fixed(target, held):
                if abs(unit[target] @ unit[other]) > SAME:
                    return target, other
            for other, one in zip(targets[:k], directions[:k], strict=True):
                if one @ directions[k] > ALIKE:
                    return target, other
        return ()


def fixed(target: int, held: Sequence[int]) -> list[int]:
    """Those of the held attributes that a direction has to leave alone, as geometry lets it."""
    free = ALONG[dimensions.NAMES[target]]
    return [i for i in held if i != target and dimensions.NAMES[i] not in free]
