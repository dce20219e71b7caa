"""One sitting of a training on the command line: from the options to a saved model, or to a pause."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cards, runs
from ..errors import BadRequest, Gen3DError
from .card import Origin, licence, readme
from .common import choose_device, progress_run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..representations import Mesh
    from ..run import Run
    from ..system import Batch, System
    from ..training import Collection, Plan, Session, Team, Variation

#: Shapes on a model's picture, in two columns, and samples whose novelty is measured.
PREVIEWS, MEASURED = 4, 16
#: Examples that few assets are varied to, and the share of a time budget that this may take besides.
EXAMPLES, PREPARING = 400, 0.15
#: Fine-tuning begins near where it wants to go: steps as large as at a random start would throw that away.
GENTLE = 0.3
#: Names on a card, at most: a collection may have thousands.
NAMES = 500
#: And so many of those that were repaired, and of those that were refused.
LISTED = 20


@contextmanager
def recorded(job: Job | None) -> Iterator[None]:
    """Whatever ends a training, its run folder says so."""
    try:
        yield
    except Gen3DError as error:
        if job:
            job.update(state="failed", message=error.message, remedy=error.remedy)
        raise
    except KeyboardInterrupt:
        if job:
            job.update(state="paused", message="Interrupted; it goes on from its last checkpoint.")
        raise
    finally:
        if job and job.status.state in runs.ACTIVE:
            kind = getattr(sys.exc_info()[0], "__name__", "an error")
            job.update(
                state="failed",
                message=f"The training ended unexpectedly ({kind}).",
                remedy="Resume it; if it ends so again, report what it wrote to its log.",
            )


@dataclass
class Job:
    """One sitting of a training.

    Args:
        options: of the command line, resolved.
        start: the status when it starts.
    """

    options: argparse.Namespace
    start: runs.Status
    session: Session | None = None
    saved: cards.Card | None = None
    measured: list[str] = field(default_factory=list)

    @property
    def status(self) -> runs.Status:
        """How it goes."""
        return self.session.status if self.session else self.start

    def update(self, **changes: Any) -> None:
        """Changes the status and writes it."""
        if self.session:
            self.session.update(**changes)
        else:
            self.start = replace(self.start, **changes)
            write(self.options.folder, self.start)

    def execute(self) -> None:
        """Everything from the options to the saved model, or to a pause."""
        options = self.options
        device = choose_device(options)
        from .. import training
        from ..run import Cancelled

        plan = self._plan(device.type)
        team = training.Team(plan.device, plan.precision)
        if team.leads:
            self.session = training.Session(options.folder, self.status, options.attended)
        wish: Callable[[], bool] = self.session.heed if self.session else lambda: True
        with training.heeding(wish), progress_run([options.seed], team.device, f"Training {options.out.name}") as run:
            if self.session:
                run.on_progress = _both(run.on_progress, self.session.going)
            try:
                self._sitting(plan, team, run)
            except Cancelled:
                self._cancelled()
            finally:
                team.leave()

    def _sitting(self, plan: Plan, team: Team, run: Run) -> None:
        from .. import training

        options, session = self.options, self.session
        system, plan = self._system(plan)
        collection = data = None
        with run.span(0.0, 0.08):
            if team.leads:
                try:
                    collection = self._collection(run)
                    data = self._prepared(system, collection, run)
                except BaseException:
                    # The others wait for data: they should not wait for ever.
                    team.tell(None)
                    raise
        data = team.tell(data)
        if data is None:
            return
        if session and collection:
            session.shown = (*collection.held_out, *collection.assets[:6])
            session.word = "keep" if options.keep else session.word
        with run.span(0.08, 0.94):
            training.train(system, data, options.folder, plan, run, session, team)
        if session and collection is not None:
            session.finishing()
            with run.span(0.94, 1.0):
                self._finish(system, collection, run)

    def _plan(self, device: str) -> Plan:
        from .. import training

        options = self.options
        return training.Plan(
            seed=options.seed,
            steps={stage: int(count) for stage, count in _pairs(options.steps).items()},
            minutes=options.minutes,
            batch_size=options.batch_size,
            precision=options.precision,
            device=device,
            rate=options.rate if options.rate is not None else GENTLE if options.start else 1.0,
        )

    def _system(self, plan: Plan) -> tuple[System, Plan]:
        """The system before its training, and the plan, which knows where the weights are from."""
        import torch

        from .. import zoo
        from ..system import find_system

        options = self.options
        if options.start:
            card = cards.read(Path(options.start))
            return zoo.load(card), replace(plan, start=card.sha256)
        system_class = find_system(options.system)
        if options.preset not in system_class.presets:
            raise BadRequest(
                f"{options.system} has no preset '{options.preset}'.", f"It has {', '.join(system_class.presets)}."
            )
        values = {**system_class.presets[options.preset], **_pairs(options.set)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            return system_class.from_config(values), plan

    def _collection(self, run: Run) -> Collection:
        """The assets; a resumed training whose source has gone has none, and goes on with what it prepared."""
        from .. import training

        options = self.options
        with run.span(0.0, 0.4):
            try:
                collection = training.gather(options.data, options.count, options.seed, run)
            except BadRequest as error:
                if not (options.resume and list(options.folder.glob("data-*.safetensors"))):
                    raise
                self._warn(
                    [f"The assets cannot be read any more, so the samples cannot be compared with them: {error}"]
                )
                return training.Collection([], [], [])
        self.update(assets=len(collection.assets), refused=[list(one) for one in collection.refused])
        self._warn(collection.warnings)
        return collection

    def _warn(self, sentences: Sequence[str]) -> None:
        if self.session:
            for sentence in sentences:
                self.session.warn(sentence)

    def _variation(self) -> Variation | None:
        """How assets are varied; shapes of the catalogue are not, as there are as many as one likes."""
        options = self.options
        if options.no_augment or not is_own(options):
            return None
        from .. import training
        from ..data.augmentation import Augmentation

        seconds = options.minutes * 60 * PREPARING if options.minutes else float("inf")
        return training.Variation(
            Augmentation(rotate=options.rotate, mirror=not options.no_mirror), options.examples, seconds
        )

    def _prepared(self, system: System, collection: Collection, run: Run) -> Batch:
        """The training examples, kept beside the checkpoint so that resuming does not prepare them again."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file, save_file

        from .. import training

        options, folder, variation = self.options, self.options.folder, self._variation()
        key = [options.system, system.config, options.data, options.count, options.seed, collection.names, variation]
        path = folder / f"data-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.safetensors"
        known = sorted(folder.glob("data-*.safetensors")) if options.resume else [path]
        for found in known:
            if found.exists():
                return load_file(found)
        with run.span(0.4, 1.0):
            data = training.prepare(system, collection.assets, run, variation)
        beside = path.with_suffix(".part")
        try:
            save_file(data, beside)
            os.replace(beside, path)
        except (OSError, SafetensorError) as error:
            beside.unlink(missing_ok=True)
            self._warn(
                [f"The prepared examples could not be kept in {folder} ({error}): resuming will make them anew."]
            )
        return data

    def _finish(self, system: System, collection: Collection, run: Run) -> None:
        """Measures the model and saves it."""
        from .. import training, zoo

        options = self.options
        own = is_own(options)
        parent = cards.read(Path(options.start)) if options.start else None
        system.cpu()
        with run.span(0.0, 0.8):
            values, sentences = self._novelty(system, collection, run)
        meshes = training.samples(system, resolution=64)
        if self.session:
            self.session.draw(meshes)
        if not meshes:
            self._warn(["None of the first samples has a surface: the model needs a longer training."])
        status = self.status
        count = len(collection.assets) or status.assets
        described = f"{count} shapes of {_short(options.data)}"
        origin = Origin(
            described=described,
            own=own,
            licence=options.licence or licence(own, parent),
            command=command(options),
            parent=parent,
            notes=_notes(collection, status) if own else status.warnings,
            measured=sentences,
        )
        self.saved = zoo.save(
            system,
            options.out,
            title=status.title,
            licence=origin.licence,
            data=described,
            readme=readme(system, options.system, options.out.name, status.title, origin),
            rank=options.rank,
            picture=_picture(meshes[:PREVIEWS]),
            date=datetime.now(UTC).date().isoformat(),
            assets=count,
            sources=list(collection.names)[:NAMES],
            parent=parent.id if parent else "",
            metrics=values,
        )
        self.measured = sentences
        message = " ".join(["The model is in the list.", *sentences[:1]])
        self.update(state="done", fraction=1.0, model=str(options.out), message=message)

    def _novelty(self, system: System, collection: Collection, run: Run) -> tuple[dict[str, Any], list[str]]:
        """Whether the samples are copies, as values and as sentences; nothing where that cannot be measured."""
        if not collection.assets:
            return {}, []
        from .. import novelty
        from ..errors import BadModel, EmptyShape, Unsupported

        try:
            found = novelty.measure(system, collection.assets, collection.held_out, run, range(1, MEASURED + 1))
        except (Unsupported, EmptyShape, BadModel, BadRequest) as error:
            self._warn([f"How new the samples are could not be measured: {error.message}"])
            return {}, []
        return dict(found.values()), list(found.sentences())

    def _cancelled(self) -> None:
        if self.session is None:
            return
        stopped = self.session.word == "stop"
        message = "Stopped; what it learnt since its last checkpoint is lost." if stopped else "Paused."
        self.update(state="paused", message=message, left=None)
        runs.clear(self.options.folder)

    def summary(self) -> str:
        """For people: what came of it."""
        status = self.status
        lines = [status.message] if self.saved is None else []
        if self.saved is not None:
            lines += [
                f"{self.saved.folder}",
                f"Learnt from {status.assets} assets in {status.seconds / 60:.1f} minutes.",
            ]
            lines += self.measured
        else:
            lines += [f"Go on with: gen3d train --resume {self.options.folder}"]
        lines += [f"Refused: {name}: {reason}" for name, reason in status.refused]
        lines += [f"Warning: {sentence}" for sentence in status.warnings]
        return "\n".join(lines)


def write(folder: Path, status: runs.Status) -> None:
    """Writes a status, or says why it cannot.

    Raises:
        Gen3DError: the folder cannot be written to.
    """
    try:
        runs.write(folder, status)
    except OSError as error:
        raise Gen3DError(
            f"The run folder {folder} cannot be written to: {error.strerror or error}.",
            "Make room on the disk, or choose another --run.",
        ) from error


def settings(options: argparse.Namespace) -> list[str]:
    """What decides the result besides the data, where it is not the default."""
    parts = ["--preset", options.preset] if options.preset != "small" else []
    parts += [part for text in options.set for part in ("--set", text)]
    parts += [part for text in options.steps for part in ("--steps", text)]
    for name, usual in (("minutes", None), ("batch_size", None), ("rate", None), ("seed", 0), ("precision", "no")):
        if getattr(options, name) != usual:
            parts += [
                f"--{name.replace('_', '-')}",
                f"{getattr(options, name):g}" if name in ("minutes", "rate") else str(getattr(options, name)),
            ]
    if is_own(options):
        parts += [
            f"--{name.replace('_', '-')}" for name in ("rotate", "no_mirror", "no_augment") if getattr(options, name)
        ]
        parts += ["--examples", str(options.examples)] if options.examples != EXAMPLES else []
    return parts


def command(options: argparse.Namespace) -> list[str]:
    """The command for the model's card."""
    start = ["--from", Path(options.start).name] if options.start else []
    paths = ["--data", _short(options.data), "--count", str(options.count), "--out", f"models_zoo/{options.out.name}"]
    title = ["--title", options.title or options.out.name]
    return ["train", options.system, *paths, *title, *start, *settings(options), "--rank", str(options.rank)]


def is_own(options: argparse.Namespace) -> bool:
    """Whether the training is on someone's own assets."""
    return not options.data.startswith("catalogue:")


def _short(data: str) -> str:
    """A source without the folders that lead to it, which are nobody else's business."""
    return data if data.startswith("catalogue:") else Path(data).name


def _notes(collection: Collection, status: runs.Status) -> list[str]:
    """What a card says of someone's own assets."""
    repaired = [f"{name} was repaired: {', '.join(what)}." for name, what in collection.repaired]
    more = [f"{len(repaired) - LISTED} more were repaired."] if len(repaired) > LISTED else []
    refused = [f"{name} was refused: {reason}" for name, reason in status.refused]
    others = [f"{len(refused) - LISTED} more were refused."] if len(refused) > LISTED else []
    held_out = [f"Held out and never learnt from: {len(collection.held_out)}."]
    return [*held_out, *refused[:LISTED], *others, *repaired[:LISTED], *more, *status.warnings]


def _picture(meshes: Sequence[Mesh]) -> NDArray[np.uint8] | None:
    """A model's picture; none where nothing can be drawn."""
    from ..errors import EngineError
    from ..preview import sheet

    try:
        return sheet(meshes, columns=2, size=160) if meshes else None
    except EngineError:
        return None


def _pairs(texts: Sequence[str]) -> dict[str, Any]:
    """``KEY=JSON`` options as a dictionary."""
    out = {}
    for text in texts:
        key, separator, value = text.partition("=")
        try:
            out[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise BadRequest(
                f"'{text}' is not KEY=VALUE with a JSON value.", "Write for instance latent=64."
            ) from error
        if not separator:
            raise BadRequest(f"'{text}' has no value.", "Write for instance latent=64.")
    return out


def _both(first: Callable[[float], bool], second: Callable[[float], bool]) -> Callable[[float], bool]:
    """Tells both of a progress; either may end it."""

    def on_progress(fraction: float) -> bool:
        return all([first(fraction), second(fraction)])

    return on_progress
