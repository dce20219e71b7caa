"""AutoSDF.

Mittal, Cheng, Singh and Tulsiani, *AutoSDF: Shape Priors for 3D Completion, Reconstruction and Generation*, CVPR 2022.
Written from the published description; the small sizes are ours.

A truncated signed distance grid is cut into cubes. Each is encoded by itself and replaced by the nearest of K codes,
and all codes together are decoded:

    x_i = argmin_k |E(cube_i) - e_k|,    grid = D(e_x1, ..., e_xN)

A transformer learns p(x) = prod_i p(x_o(i) | x_o(<i)) for random orders o. What is given of a shape comes first in the
order, and the rest is drawn: several completions, all different. A text or a picture is a second expert q that gives
each place's codes by themselves, and log p' = (1 - a) log p + a log q.

Ours: codes follow running means instead of the codebook's loss; distances are truncated near the surface, where the
shape is, with a cross-entropy of the sign beside the L1 distance, so that thin legs survive; some orders leave a box of
places to the end, as completions do; and the second expert says what it adds to what it expects of any shape, with
which log p' = log p + w (log q - log q_0), and of a few draws the one is kept to which it adds most. A transformer of
this size holds parts together better than wholes, so where texts were learnt from a shape is drawn in two steps: one of
the texts t that are remembered from the training, by how well it fits the codes g that are given, if any, and a shape
of which it is true, p(x | g) = sum_t p(t | g) p(x | g, t).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...data import phrasing
from ...errors import BadRequest, Unsupported
from ...families import autoregressive, vq
from ...nn.codes import Autoencoder, Expert, ImageExpert, Prior, TextExpert
from ...nn.conv3d import nearest, random_boxes
from ...nn.patchwise import CubeDecoder, CubeEncoder, cut
from ...nn.transformer import Transformer
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System


@dataclass(frozen=True)
class Config:
    """Sizes of the networks and rules of the sampling.

    Args:
        side: n, cubes along one side of the grid.
        cube: cells along one side of a cube.
        truncation: distances are clamped to this, in model units.
        codes: K.
        size: of a code's vector.
        encoder, decoder: channels, see :class:`CubeEncoder` and :class:`CubeDecoder`.
        attention: in both, at 8^3 cells.
        decay: of the codes' running means; 0 learns them by the codebook's loss, as published.
        beta: weight of the commitment.
        sign: weight of the cross-entropy of inside and outside.
        warm: steps before vectors are replaced by codes.
        layers, width, heads, hidden, dropout: of the transformer.
        frequencies: of the embedding of places.
        scale: deviation of these frequencies, in radians for half the grid's side.
        boxes: share of the orders that leave a box of places to the end.
        top: codes that each place is drawn from.
        guided_top: the same where a text or a picture joins.
        text, image: a, or w, of the second expert.
        added: the second expert joins by what it adds, instead of the published product.
        words: that texts are understood by, each a row of the text's embedding.
        views: pictures an example that the picture's expert learns from; 0 for none.
    """

    side: int = 8
    cube: int = 4
    truncation: float = 0.06
    codes: int = 512
    size: int = 64
    encoder: tuple[int, ...] = (192,)
    decoder: tuple[int, ...] = (48, 24)
    attention: bool = False
    decay: float = 0.98
    beta: float = 0.25
    sign: float = 1.0
    warm: int = 300
    layers: int = 4
    width: int = 144
    heads: int = 3
    hidden: int = 288
    dropout: float = 0.0
    frequencies: int = 48
    scale: float = 3.0
    boxes: float = 0.3
    top: int = 30
    guided_top: int = 4
    text: float = 2.0
    image: float = 1.0
    added: bool = True
    words: tuple[str, ...] = phrasing.WORDS
    views: int = 3


#: Words of one text, phrasings of one shape, and texts that are remembered to draw shapes from.
TEXT, PHRASINGS, REMEMBERED = 16, 8, 512
#: Pixels along each side of the pictures.
PICTURE = 32
#: Share of the examples from which the second expert is told nothing.
UNTOLD = 0.15
#: What a place's code counts as evidence for a remembered text: places next to one another tell much the same.
BELIEVED = 0.5
#: Draws of which the one is kept that fits a text or a picture best.
TRIES = 4
#: Random orders over which a score is the mean.
ORDERS = 4
#: Signed distances are kept as whole numbers up to this.
STEPS = 127


class AutoSDF(System):
    """The autoencoder of cubes, the transformer over codes, and the experts that guide it."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "side": 8,
            "cube": 8,
            "truncation": 0.2,
            "codes": 512,
            "size": 256,
            "encoder": (64, 128, 128, 256),
            "decoder": (256, 128, 128, 64),
            "attention": True,
            "decay": 0.0,
            "beta": 1.0,
            "sign": 0.0,
            "warm": 0,
            "layers": 12,
            "width": 768,
            "heads": 12,
            "hidden": 1024,
            "dropout": 0.1,
            "frequencies": 128,
            "scale": 10.0,
            "boxes": 0.0,
            "guided_top": 10,
            "text": 0.5,
            "image": 0.75,
            "added": False,
        },
    }

    learnt: Tensor
    texts: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.resolution = config.side * config.cube
        self.autoencoder = Autoencoder(
            CubeEncoder(config.cube, config.encoder, config.size, config.attention),
            CubeDecoder(config.cube, config.decoder, config.size, config.attention),
            vq.Codebook(config.codes, config.size, config.decay),
            config.warm,
            config.beta,
        )
        transformer = Transformer(config.layers, config.width, config.heads, config.hidden, config.dropout)
        self.prior = Prior(config.side, config.codes, config.size, config.frequencies, config.scale, transformer)
        wide = config.width > 512
        self.text_expert = TextExpert(config.side, config.codes, len(config.words), wide)
        self.image_expert = ImageExpert(config.side, config.codes, PICTURE, wide) if config.views else None
        # Whether texts, and pictures, were learnt from.
        self.register_buffer("learnt", torch.zeros(2, dtype=torch.bool))
        # Sentences about training shapes, each as numbers of words; rows of zeros are none.
        self.register_buffer("texts", torch.zeros(REMEMBERED, TEXT, dtype=torch.int16))

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        c = self.config
        grid = torch.as_tensor(np.asarray(asset.sdf_grid(self.resolution, c.truncation))) / c.truncation
        example = {"sdf": (grid.clamp(-1, 1) * STEPS).round().to(torch.int8), "words": self._phrasings(asset, run)}
        if c.views:
            from ...data import pictures

            views = pictures.of_asset(asset, c.views, PICTURE, run.seeds[0])
            example["views"] = (torch.as_tensor(views) * 255).round().to(torch.uint8)
        return example

    def _phrasings(self, asset: Asset, run: Run) -> Tensor:
        """Texts about an asset that can say what it is, with shape (PHRASINGS, TEXT); else zeros."""
        found = torch.zeros(PHRASINGS, TEXT, dtype=torch.int64)
        if hasattr(asset, "sentence"):
            random = np.random.Generator(np.random.PCG64(run.seeds[0]))
            texts = [asset.sentence(), *(phrasing.phrase(asset, random) for _ in range(PHRASINGS - 1))]  # type: ignore[attr-defined, arg-type]
            for row, text in zip(found, texts, strict=True):
                row.copy_(self._numbers(phrasing.words(text)))
        return found

    def _numbers(self, words: Sequence[str]) -> Tensor:
        """The words' rows in the embedding, from 1, with shape (TEXT,); 0 after the last."""
        rows = {word: i for i, word in enumerate(self.config.words, 1)}
        numbers = [rows[word] for word in words if word in rows][:TEXT]
        return torch.tensor(numbers + [0] * (TEXT - len(numbers)))

    # Training

    def stages(self) -> list[Stage]:
        def adam(rate: float):  # noqa: ANN202 - the type is Stage.optimizer's
            return lambda network, parameters: torch.optim.AdamW(parameters, rate, (0.9, 0.98), weight_decay=0.01)

        stages = [
            Stage(
                "vq",
                (self.autoencoder,),
                self._reconstruct,
                adam(1e-3),
                steps=6000,
                batch_size=8,
                finish=self._quantise,
                cosine=True,
                cost=1.0,
            ),
            Stage(
                "transformer",
                (self.prior,),
                self._predict,
                adam(1e-3),
                steps=5000,
                batch_size=8,
                average={self.prior: 0.998},
                dataset=self._encoded,
                cosine=True,
                cost=2.5,
            ),
            Stage(
                "text",
                (self.text_expert,),
                self._describe,
                adam(2e-3),
                steps=4000,
                average={self.text_expert: 0.995},
                dataset=self._encoded,
                finish=self._remember,
                cosine=True,
                cost=0.5,
            ),
        ]
        if self.image_expert is not None:
            image = Stage(
                "image",
                (self.image_expert,),
                self._depict,
                adam(2e-3),
                steps=4000,
                average={self.image_expert: 0.995},
                dataset=self._encoded,
                cosine=True,
                cost=0.5,
            )
            stages.append(image)
        return stages

    def _reconstruct(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        grids = batch["sdf"].float() / STEPS
        found, held = self.autoencoder(grids, noise)
        loss = functional.l1_loss(found, grids) + held
        if self.config.sign:
            # Where the distance is a quarter of the truncation, the sign is nearly sure.
            loss = loss + self.config.sign * functional.binary_cross_entropy_with_logits(
                -8 * found, (grids < 0).float()
            )
        yield self.autoencoder, loss

    @torch.no_grad()
    def _quantise(self, data: Batch, run: Run) -> None:
        """Codes after a training that ended before there were any."""
        if int(self.autoencoder.steps) <= self.config.warm and self.config.decay:
            grids = data["sdf"][:64].float().to(self.device) / STEPS
            numbers = torch.rand(self.config.codes, generator=torch.Generator().manual_seed(0)).to(self.device)
            self.autoencoder.codebook.start(self.autoencoder.encoder(grids).flatten(0, 3), numbers)

    @torch.no_grad()
    def _encoded(self, data: Batch, run: Run) -> Batch:
        """Every shape's codes beside its texts and pictures."""
        codes = [self.autoencoder.encode(g.float().to(self.device) / STEPS) for g in data["sdf"].split(32)]
        return {"codes": torch.cat(codes).cpu(), **{key: data[key] for key in ("words", "views") if key in data}}

    @torch.no_grad()
    def _remember(self, data: Batch, run: Run) -> None:
        """The sentences of some training shapes, evenly from all."""
        words = data["words"][:, 0]
        count = min(len(words), REMEMBERED)
        rows = torch.arange(count) * len(words) // count
        self.texts.zero_()
        self.texts[:count] = words[rows].to(self.texts)

    def _predict(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        codes = batch["codes"]
        numbers = noise.rand(*codes.shape)
        boxes = random_boxes(noise.rand(len(codes), 9), self.config.side).flatten(1)
        numbers = numbers + (boxes & (noise.rand(len(codes), 1) < self.config.boxes))
        order = autoregressive.orders(numbers)
        yield self.prior, self._surprises(codes, order).mean()

    def _surprises(self, codes: Tensor, order: Tensor) -> Tensor:
        """Nats a code of each shape's codes (B, N), in an order (B, N) of its own; with shape (B,)."""
        along = codes.gather(1, order)
        before = autoregressive.shifted(along, self.config.codes)
        logits = self.prior(self.autoencoder.codebook.vectors, before, order)
        return autoregressive.negative_log_likelihood(logits, along)

    def _describe(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        words = batch["words"]
        rows = torch.arange(len(words), device=words.device)
        chosen = words[rows, (noise.rand(len(words)) * words.shape[1]).long()]
        has = (chosen > 0).any(1)
        self.learnt[0] |= has.any()
        untold = noise.rand(len(words), 1) < UNTOLD
        logits = self.text_expert(chosen.masked_fill(untold, 0))
        lost = autoregressive.negative_log_likelihood(logits, batch["codes"])
        # A shape of which nothing is said teaches nothing about texts.
        yield self.text_expert, (lost * has).sum() / has.sum().clamp_min(1)

    def _depict(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        assert self.image_expert is not None
        views = batch["views"]
        rows = torch.arange(len(views), device=views.device)
        chosen = views[rows, (noise.rand(len(views)) * views.shape[1]).long()].float() / 255
        untold = noise.rand(len(views), 1, 1, 1) < UNTOLD
        logits = self.image_expert(chosen.masked_fill(untold, 0.0))
        self.learnt[1] = True
        yield self.image_expert, autoregressive.negative_log_likelihood(logits, batch["codes"]).mean()

    # Abilities

    def sample(self, run: Run) -> list[Voxels]:
        return self._shapes(self._recalled(run))

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        """Draws the codes of the cubes of which not every cell is known."""
        return self._completed(partial, known, None, run)

    def from_text(self, text: str, run: Run) -> list[Voxels]:
        """Shapes that a text describes.

        Raises:
            Unsupported: the model has not learnt from texts.
            BadRequest: it knows none of the words.
        """
        return self._shapes(self.best(run, self._told_by_text(text, run)))

    def image_size(self) -> int:
        return PICTURE

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        """Shapes that pictures show.

        Raises:
            Unsupported: the model has not learnt from pictures.
        """
        return self._shapes(self.best(run, self._told_by_images(images)))

    def complete_guided(
        self, partial: Asset, known: Tensor, text: str, images: Tensor | None, run: Run
    ) -> list[Voxels]:
        """As :meth:`complete`, with what a text and pictures say of the whole."""
        experts = [self._told_by_text(text, run)] if text.strip() else []
        experts += [self._told_by_images(images)] if images is not None and len(images) else []
        return self._completed(partial, known, experts[0] if len(experts) == 1 else _both(experts), run)

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """Nats a code, the mean over some random orders."""
        codes = torch.cat([self.encode_codes(asset)[None] for asset in assets])
        generator = torch.Generator().manual_seed(run.seeds[0])
        with torch.no_grad():
            found = torch.zeros(len(codes), device=self.device)
            for _ in range(ORDERS):
                # The same orders for every shape: which shapes are looked at together must not matter.
                order = torch.randperm(codes.shape[1], generator=generator).to(self.device)
                found += self._surprises(codes, order.expand_as(codes))
        return found / ORDERS

    def encode_codes(self, asset: Asset) -> Tensor:
        """The code of each cube of a shape, with shape (n^3,)."""
        with torch.no_grad():
            return self.autoencoder.encode(self._grid(asset)[None])[0]

    def observed(self, known: Tensor) -> Tensor:
        """Cubes of which every cell is known, with shape (n^3,), bool.

        Args:
            known: with shape (R, R, R), bool, at any resolution.
        """
        mask = nearest(known.to(self.device), self.resolution)
        return cut(mask[None], self.config.cube)[0].flatten(3).all(3).flatten()

    @torch.no_grad()
    def draw(
        self, run: Run, codes: Tensor | None = None, observed: Tensor | None = None, expert: Expert | None = None
    ) -> Tensor:
        """Codes with shape (B, n^3), one row a seed.

        Args:
            codes: with shape (n^3,): what is given stays as it is.
            observed: with shape (n^3,), bool: which of them are given; they come first.
            expert: guides the draws.
        """
        c = self.config
        count = c.side**3
        numbers = run.rand(2, count).cpu()
        first = numbers[:, 0] if observed is None else numbers[:, 0] + (~observed.cpu())
        order = autoregressive.orders(first).to(self.device)
        given = torch.zeros(len(order), 0, dtype=torch.int64, device=self.device)
        if codes is not None and observed is not None:
            given = codes.expand(len(order), -1).gather(1, order)[:, : int(observed.sum())]
        vectors = self.autoencoder.codebook.vectors
        cache = self.prior.transformer.cache(len(order), count, self.device)
        rows = torch.arange(len(order), device=self.device)

        def choose(logits: Tensor, i: int) -> Tensor:
            if expert is None:
                return autoregressive.top_k(logits, c.top)
            told, untold = (values[0, order[rows, i]] for values in (expert.told, expert.untold))
            if c.added:
                # Only what the prior finds possible is weighed: ratios of small numbers are noise.
                likely = autoregressive.top_k(logits, c.top)
                return autoregressive.top_k(autoregressive.added(likely, told, untold, expert.weight), c.guided_top)
            return autoregressive.top_k(autoregressive.product(logits, told, expert.weight), c.guided_top)

        along = autoregressive.sample(
            lambda before, place: self.prior(vectors, before, order, place, cache),
            given,
            count,
            numbers[:, 1].to(self.device),
            c.codes,
            choose,
            run.track,
        )
        return torch.empty_like(along).scatter_(1, order, along)

    def best(self, run: Run, expert: Expert, codes: Tensor | None = None, observed: Tensor | None = None) -> Tensor:
        """Of several draws a seed the one to which the expert adds most; arguments as for :meth:`draw`."""

        def on_progress(fraction: float) -> bool:
            run.report(fraction)
            return True

        seeds = [(seed * TRIES + i) % 2**63 for seed in run.seeds for i in range(TRIES)]
        drawn = self.draw(Run(seeds, run.device, on_progress), codes, observed, expert)
        gains = expert.gains(drawn).reshape(-1, TRIES)
        return drawn.unflatten(0, (-1, TRIES))[torch.arange(len(gains), device=drawn.device), gains.argmax(1)]

    def _recalled(self, run: Run, codes: Tensor | None = None, observed: Tensor | None = None) -> Tensor:
        """Codes of shapes, each with a remembered text beside it where there are any; arguments as for :meth:`draw`."""
        texts = self.texts[(self.texts > 0).any(1)].long()
        if not self.learnt[0] or not len(texts):
            return self.draw(run, codes, observed)
        likely = self._fitting(texts, codes, observed)
        drawn = []
        for one in run.each():
            chosen = texts[autoregressive.draw(likely[None], one.rand())[0]]
            drawn.append(self.best(one, self._told(chosen), codes, observed))
        return torch.cat(drawn)

    @torch.no_grad()
    def _fitting(self, texts: Tensor, codes: Tensor | None, observed: Tensor | None) -> Tensor:
        """log p(t | g) up to a constant, of texts (T, TEXT), with shape (T,); all alike where nothing is given."""
        if codes is None or observed is None or not observed.any():
            return torch.zeros(len(texts), device=texts.device)
        given = codes[observed][None, :, None]

        def fit(some: Tensor) -> Tensor:
            logits = self.text_expert(some)[:, observed].log_softmax(-1)
            return logits.gather(2, given.expand(len(some), -1, -1))[..., 0].sum(1)

        # A few at a time: each has logits of all codes at all places.
        told = torch.cat([fit(some) for some in texts.split(32)])
        return BELIEVED * (told - fit(torch.zeros_like(texts[:1])))

    def _completed(self, partial: Asset, known: Tensor, expert: Expert | None, run: Run) -> list[Voxels]:
        observed = self.observed(known)
        codes = self.encode_codes(partial)
        drawn = self._recalled(run, codes, observed) if expert is None else self.best(run, expert, codes, observed)
        mask = nearest(known.to(self.device), self.resolution)
        # Where it is known the given distances themselves: the surface there stays as smooth as it was.
        own = _values(self._grid(partial))
        return [Voxels(torch.where(mask, own, shape.values)).keep(partial, mask) for shape in self._shapes(drawn)]

    def _shapes(self, codes: Tensor) -> list[Voxels]:
        with torch.no_grad():
            grids = self.autoencoder.decode(codes, self.config.side)
        return [Voxels(_values(grid)) for grid in grids]

    def _grid(self, asset: Asset) -> Tensor:
        """Distances in units of the truncation, with shape (R, R, R), as they are stored to learn from."""
        truncation = self.config.truncation
        grid = torch.as_tensor(np.asarray(asset.sdf_grid(self.resolution, truncation))) / truncation
        return ((grid.clamp(-1, 1) * STEPS).round() / STEPS).to(self.device).float()

    def _told_by_text(self, text: str, run: Run) -> Expert:
        if not self.learnt[0]:
            raise Unsupported(
                "This model has not learnt from texts: what it was trained on said nothing.",
                "Use a model of the catalogue's shapes.",
            )
        reading = phrasing.read(text)
        words = self._numbers(reading.words)
        if not words.any():
            raise BadRequest(
                f"The model knows none of the words of '{text}'.",
                "Say what it is and what its parts are, as 'a round table with four legs'.",
            )
        if reading.unknown:
            run.note(f"Not understood: {', '.join(reading.unknown)}")
        return self._told(words.to(self.device))

    def _told(self, words: Tensor) -> Expert:
        """What the words (TEXT,) say."""
        with torch.no_grad():
            told, untold = self.text_expert(torch.stack([words, torch.zeros_like(words)]))
        return Expert(told[None], untold[None], self.config.text)

    def _told_by_images(self, images: Tensor) -> Expert:
        if self.image_expert is None or not self.learnt[1]:
            raise Unsupported(
                "This model has not learnt from pictures.", "Use a model that was trained with pictures, or a text."
            )
        shown = images.to(self.device).float()
        with torch.no_grad():
            logits = self.image_expert(torch.cat([shown, torch.zeros_like(shown[:1])]))
        # Pictures of one object agree: the mean of what they say.
        told = logits[:-1].log_softmax(-1).mean(0, keepdim=True)
        return Expert(told, logits[-1:], self.config.image)


def _both(experts: Sequence[Expert]) -> Expert | None:
    """Two experts as one: their evidence adds up."""
    if not experts:
        return None
    weight = experts[0].weight
    told, untold = (
        sum(getattr(e, name).log_softmax(-1) * (e.weight / weight) for e in experts) for name in ("told", "untold")
    )
    return Expert(torch.as_tensor(told), torch.as_tensor(untold), weight)


def _values(grid: Tensor) -> Tensor:
    """Distances in units of the truncation as values of voxels, which are linear in the distance near the surface."""
    return (0.5 - 0.5 * grid).clamp(0, 1)
