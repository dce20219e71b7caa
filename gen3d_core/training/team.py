"""The processes that share a training, and what makes their result the one of a single process.

Each process computes its share of every batch. With weights w_r = share_r / B the whole batch's mean loss is

    L = sum_r w_r L_r,        so        dL/dtheta = sum_r w_r dL_r/dtheta

holds for any sizes of the shares, as long as L_r is a mean over the share's shapes and a shape's loss depends on the
others in no way that is hidden from the sum. Batch normalisation is such a way, and dropout draws for a whole batch:
while a team trains, both are computed over all processes, with gradients through the sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import BadRequest

T = TypeVar("T")

#: One process prepares the data while the others wait for it, which may take long.
PATIENCE = timedelta(days=2)


class Team:
    """One process, or those that ``accelerate launch`` started.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; several processes with ``cuda`` have a device each.
        precision: ``no`` (float32) or ``bf16``.
    """

    def __init__(self, device: str = "auto", precision: str = "no") -> None:
        self.accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision=precision,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.device = self.accelerator.device
        self.rank, self.size = self.accelerator.process_index, self.accelerator.num_processes
        self.whole, self.share = 1, slice(0, 1)

    @property
    def leads(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0

    def divide(self, whole: int) -> slice:
        """This process's share of a batch of ``whole`` shapes, from now on; shares differ by one shape at most.

        Raises:
            BadRequest: there are fewer shapes than processes.
        """
        if whole < self.size:
            raise BadRequest(
                f"A step of {whole} shapes cannot be shared by {self.size} processes.",
                f"Use at most {whole} processes, or a larger --batch-size.",
            )
        edges = [whole * rank // self.size for rank in (self.rank, self.rank + 1)]
        self.whole, self.share = whole, slice(*edges)
        return self.share

    def total(self, values: Tensor) -> Tensor:
        """The sum of all processes' ``values``, which have one shape; gradients pass through it."""
        return values if self.size == 1 else _Sum.apply(values)  # type: ignore[return-value]  # of apply, untyped

    def tell(self, value: T) -> T:
        """What the leading process has as ``value``, in every process."""
        if self.size == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def leave(self) -> None:
        """Ends the connection to the others."""
        if self.size > 1:
            self.accelerator.end_training()

    def backward(self, loss: Tensor, parameters: list[nn.Parameter]) -> None:
        """Gives ``parameters`` the gradient of the whole batch's loss, from this share's mean ``loss``."""
        if self.size > 1:
            loss = loss * ((self.share.stop - self.share.start) / self.whole)
        self.accelerator.backward(loss, inputs=parameters)
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if gradients:
            # One sum for all: each has a price of its own, whatever its size.
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))

    @contextmanager
    def joined(self, system: nn.Module) -> Iterator[None]:
        """Inside, batch normalisation and dropout of ``system`` work on the whole batch, not on shares."""
        changed = []
        if self.size > 1:
            for module in system.modules():
                if isinstance(module, _BatchNorm):
                    self._replace(module, self._normalise)
                    changed.append(module)
                elif type(module) is nn.Dropout:
                    self._replace(module, self._drop)
                    changed.append(module)
        try:
            yield
        finally:
            for module in changed:
                del module.__dict__["forward"]

    @staticmethod
    def _replace(module: nn.Module, forward: Any) -> None:
        """Gives one module another ``forward``, which is called with the module first."""
        # Into its dictionary: weights, names and hooks stay, and deleting it brings the class's own back.
        module.__dict__["forward"] = lambda x: forward(module, x)

    def _normalise(self, norm: _BatchNorm, x: Tensor) -> Tensor:
        """Batch normalisation over all processes: y = (x - E x) / sqrt(Var x + eps) * weight + bias, per channel."""
        if not norm.training:
            return type(norm).forward(norm, x)
        axes = [0, *range(2, x.ndim)]
        view = [1, -1] + [1] * (x.ndim - 2)
        wide = x if x.dtype == torch.float64 else x.float()
        size = torch.full_like(wide[0, :1].flatten()[:1], wide.numel() / wide.shape[1])
        sums = self.total(torch.cat([wide.sum(axes), size]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        off = wide - mean.view(view)
        variance = self.total(off.square().sum(axes)) / count
        if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
            with torch.no_grad():
                if norm.num_batches_tracked is not None:
                    norm.num_batches_tracked.add_(1)
                share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked or 1)
                norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
                unbiased = variance * count / (count - 1).clamp_min(1)
                norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), share)
        y = off * (variance + norm.eps).rsqrt().view(view)
        if norm.affine:
            y = y * norm.weight.view(view) + norm.bias.view(view)
        return y.to(x.dtype)

    def _drop(self, dropout: nn.Dropout, x: Tensor) -> Tensor:
        """Dropout with the mask that a single process would draw, of which this share is used."""
        own = self.share.stop - self.share.start
        if not dropout.training or dropout.p in (0.0, 1.0) or len(x) % own:
            return type(dropout).forward(dropout, x)
        # A share may arrive as several rows a shape.
        rows = len(x) // own
        mask = torch.empty((self.whole * rows, *x.shape[1:]), dtype=x.dtype, device=x.device)
        mask.bernoulli_(1 - dropout.p)
        return x * mask[self.share.start * rows : self.share.stop * rows] / (1 - dropout.p)


class _Sum(torch.autograd.Function):
    """The sum over processes. Its gradient is the sum over processes too, so it can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.apply(gradients[0])  # type: ignore[return-value]  # of apply, untyped
