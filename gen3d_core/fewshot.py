"""A collection labelled from a handful of examples: a linear classifier on what a model has learnt to see.

Wu et al., *3D-GAN*, NIPS 2016, describe shapes by the activations of the discriminator and fit a linear classifier to
them. With few examples a one-against-all ridge regression is as good as a support vector machine and has a closed form,

    W = F^T (F F^T + penalty I)^-1 (Y - b),    b = mean of Y,

of centred features F (N, D) and answers Y, +1 for the own class and -1 for the others,

and so have its answers to each example when that one is left out: by them the penalty is chosen, and how far its
answers are to be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import BadRequest, Unsupported
from .run import Run
from .system import Asset, Features, System, system_name

#: Tried penalties, as shares of the features' mean energy, and sharpnesses of the probabilities.
PENALTIES = tuple(10.0**k for k in range(-4, 3))
SHARPNESSES = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Labels:
    """The labels of a collection.

    Args:
        classes: the labels that were given, in alphabetical order.
        labels: one an asset, those that were given included.
        probabilities: of each asset's label; 1 where it was given.
        accuracy: share of the examples that the others label rightly, or None with one example of each class.
        examples: how many were given.
    """

    classes: Sequence[str]
    labels: Sequence[str]
    probabilities: Sequence[float]
    accuracy: float | None
    examples: int

    def sentence(self) -> str:
        """How far to trust them, for people."""
        found = len(self.labels) - self.examples
        words = f"{found} labelled from {self.examples} examples of {len(self.classes)} labels."
        if self.accuracy is None:
            return f"{words} With a second example of each label it could be said how well that works."
        return f"{words} Of the examples themselves, the others label {self.accuracy:.0%} rightly."


def label(system: System, assets: Sequence[Asset], given: Sequence[str], run: Run) -> Labels:
    """Labels for all assets, from the labels of some.

    Args:
        system: with features.
        assets: all of them.
        given: one label an asset, empty where it is unknown.
        run: progress and cancellation.

    Raises:
        Unsupported: the system has no features.
        BadRequest: fewer than two labels.
        Cancelled: the user asked to stop.
    """
    if not isinstance(system, Features):
        raise Unsupported(f"The system {system_name(type(system))} cannot tell assets apart.", "Choose another model.")
    if len(assets) != len(given):
        raise BadRequest(
            f"There are {len(assets)} assets and {len(given)} labels.", "Give one label an asset, or none."
        )
    if len(set(given) - {""}) < 2:
        raise BadRequest("At least two different labels are needed.", "Label an example of each kind.")
    features = torch.cat([system.features([asset], run).float().cpu() for asset in run.track(assets)])
    return spread(features, given)


def spread(features: Tensor, given: Sequence[str]) -> Labels:
    """Labels for all rows of ``features`` (N, D), from the labels of some; see :func:`label`."""
    classes = sorted(set(given) - {""})
    known = torch.tensor([bool(name) for name in given])
    truth = torch.tensor([classes.index(name) for name in given if name])
    fitted = fit(features[known], truth, len(classes))
    probabilities = fitted.probabilities(features)
    probabilities[known] = torch.nn.functional.one_hot(truth, len(classes)).double()
    best = probabilities.max(1)
    names = [classes[i] for i in best.indices.tolist()]
    alone = bool((torch.bincount(truth) < 2).any())
    accuracy = None if alone else fitted.accuracy
    return Labels(classes, names, best.values.tolist(), accuracy, len(truth))


@dataclass(frozen=True)
class Linear:
    """A linear classifier.

    Args:
        mean, deviation: of the examples' features, with shape (D,).
        weights: with shape (D, C).
        bias: with shape (C,).
        sharpness: what scores are multiplied by to become log-probabilities.
        accuracy: share of the examples that are right when each is left out.
    """

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    bias: Tensor
    sharpness: float
    accuracy: float

    def probabilities(self, features: Tensor) -> Tensor:
        """With shape (N, C), of features (N, D)."""
        scores = ((features.double() - self.mean) / self.deviation) @ self.weights + self.bias
        return (self.sharpness * scores).softmax(1)


def fit(features: Tensor, truth: Tensor, classes: int) -> Linear:
    """The classifier of examples.

    Args:
        features: with shape (N, D).
        truth: class of each, with shape (N,).
        classes: C, how many there are.
    """
    x = features.double()
    mean, deviation = x.mean(0), x.std(0, correction=0)
    # What hardly ever changes says nothing, and dividing by its deviation would make noise of it.
    deviation = deviation.clamp_min(0.1 * float(deviation.mean()) + 1e-12)
    x = (x - mean) / deviation
    targets = 2 * torch.nn.functional.one_hot(truth, classes).double() - 1
    bias = targets.mean(0)
    values, vectors = torch.linalg.eigh(x @ x.T)
    values = values.clamp_min(0)
    energy = float(values.mean()) + 1e-12
    found: list[tuple[float, float, Tensor]] = []
    for penalty in PENALTIES:
        inverse = vectors @ torch.diag(1 / (values + penalty * energy)) @ vectors.T
        duals = inverse @ (targets - bias)
        # The answer to an example that was left out, in closed form; 1 / N is the part of the bias in its own answer.
        own = penalty * energy * inverse.diagonal() - 1 / len(x)
        left_out = targets - penalty * energy * duals / own.clamp_min(1e-9)[:, None]
        found.append((float((left_out - targets).square().mean()), penalty, left_out))
    _, penalty, left_out = min(found, key=lambda entry: entry[0])
    inverse = vectors @ torch.diag(1 / (values + penalty * energy)) @ vectors.T
    weights = x.T @ (inverse @ (targets - bias))
    cross_entropies = [float(torch.nn.functional.cross_entropy(s * left_out, truth)) for s in SHARPNESSES]
    sharpness = SHARPNESSES[cross_entropies.index(min(cross_entropies))]
    accuracy = float((left_out.argmax(1) == truth).double().mean())
    return Linear(mean, deviation, weights, bias, sharpness, accuracy)
