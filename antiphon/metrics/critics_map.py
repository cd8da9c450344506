"""What the critics hear: how much each part of a sound's spectrogram adds to their taking it for real.

The log-mel pictures that a voice's critics see are divided into cells, bands of frequency by stretches of time. What is
left out of a picture x is replaced by a blurred one, b, which has its levels and no detail,

    x_S = b + m_S (x - b)          m_S: 1 where the cells of S are, 0 where others are, and smooth between

and a cell's part in the verdict v is its Shapley value, v(x_(S + cell)) - v(x_S) on average over orders in which cells
come back, sampled (Castro 2009); they sum to v(x) - v(b). Masks must be smooth, more so than those of RISE (Petsiuk
2018), whose linear ones make half-blurred pictures with edges, which look like detail to a critic, who takes that for
real: so they are averaged over neighbouring cells first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.shapley import sampled_shapley
from antiphon.networks.discriminators.logmel import Discriminators
from antiphon.networks.gesture import Gesture
from antiphon.representations.mel import mel, mel_to_hz
from antiphon.voices.checkpoint import read_tensors

BANDS, STRETCHES = 8, 8  # cells, equally high in mel and equally long
LOW, HIGH = 20.0, 20_000.0  # Hz, as of the critics' pictures
SAMPLES = 32_768  # 0.74 s, as long as the excerpts that critics are trained on
ORDERS = 24
BLUR = 1.0  # cells, a standard deviation
TOGETHER = 128  # pictures judged at once
PREFIXES = ("critics.", "game.critics.")  # of the weights, beside a voice and in a run's state


def read_critics(file: Path, labels: int) -> Discriminators | None:
    """The critics of a voice with so many labels, out of a file with their weights; None if they are of another sort
    than those on log-mel pictures [networks/discriminators/logmel.py]. Raises AntiphonError for a damaged file."""
    tensors, _ = read_tensors(file)
    own = {k.removeprefix(p): x.float() for p in PREFIXES for k, x in tensors.items() if k.startswith(p)}
    if "0.layers.0.bias" not in own:
        return None
    critics = Discriminators(labels, len(own["0.layers.0.bias"]))
    wanted = {name: x.shape for name, x in critics.state_dict().items() if name in dict(critics.named_parameters())}
    if {name: x.shape for name, x in own.items() if not name.endswith("filters")} != wanted:
        return None
    critics.load_state_dict(own, strict=False)
    return critics.eval().requires_grad_(False)


@dataclass(frozen=True)
class CriticsMap:
    """values: (bands, stretches) what each cell adds to the verdict, the lowest band first. verdict, blurred: of the
    sound and of its blurred picture, in the critics' own units: of two sounds the higher one is realer to them."""

    values: np.ndarray
    verdict: float
    blurred: float

    @property
    def hertz(self) -> list[float]:
        """(bands + 1,) the edges of the bands."""
        low, high = (float(mel(torch.tensor(x, dtype=torch.float64))) for x in (LOW, HIGH))
        return [float(x) for x in mel_to_hz(torch.linspace(low, high, len(self.values) + 1, dtype=torch.float64))]

    @property
    def seconds(self) -> list[float]:
        """(stretches + 1,) the edges of the stretches."""
        return np.linspace(0, SAMPLES / SAMPLE_RATE, self.values.shape[1] + 1).tolist()


def critics_map(
    critics: Discriminators, sound: np.ndarray, played: Gesture, label: int, *, seed: int = 0
) -> CriticsMap:
    """The map of the first 0.74 s of a sound, (samples,) from its onset, of a label, by its index. played: one note, as
    `gesture_of` makes it."""
    cells = Cells(critics, sound, played, label)
    count = cells.shape[0] * cells.shape[1]
    values = sampled_shapley(cells.verdicts, count, ORDERS, np.random.default_rng(seed))
    blurred, verdict = cells.verdicts(np.stack([np.zeros(count), np.ones(count)])).tolist()
    return CriticsMap(values.reshape(cells.shape), verdict, blurred)


def gesture_of(note: Note, pitched: bool) -> Gesture:
    """A note as it is told to the critics; drums are never released."""
    one, none = torch.tensor([note.pitch]).float(), torch.zeros(1, 1)
    held = note.seconds * SAMPLE_RATE if pitched else torch.inf
    start = torch.zeros(1, dtype=torch.long)
    return Gesture(one, one * 0 + note.velocity / 127, one * 0 + held, start, SAMPLES, none, none, start)


class Cells:
    """A sound before the critics, whose cells can be left out. shape: (bands, stretches)."""

    def __init__(
        self,
        critics: Discriminators,
        sound: np.ndarray,
        played: Gesture,
        label: int,
        shape: tuple[int, int] = (BANDS, STRETCHES),
    ):
        audio = torch.zeros(1, SAMPLES)
        heard = torch.from_numpy(np.nan_to_num(np.asarray(sound, np.float32).reshape(-1)[:SAMPLES]))
        audio[0, : len(heard)] = heard
        self.critics, self.played, self.label, self.shape = critics, played, label, shape
        self.pictures: list[Tensor] = [critic.mel(audio) for critic in critics]  # type: ignore[operator]
        self.blurred = [_blurred(picture, shape) for picture in self.pictures]

    @torch.inference_mode()
    def verdicts(self, kept: np.ndarray) -> np.ndarray:
        """(n,) the critics' mean verdict on the sound with some of its cells kept, (n, cells), 1 or 0 of each."""
        masks = _averaged(torch.from_numpy(np.asarray(kept, np.float32)).view(-1, 1, *self.shape))
        return torch.cat([self._judged(some) for some in masks.split(TOGETHER)]).double().numpy()

    def _judged(self, masks: Tensor) -> Tensor:
        count, played, found = len(masks), self.played, []
        repeated = played[torch.zeros(count, dtype=torch.long)]
        label = torch.full((count,), self.label)
        for critic, picture, blurred in zip(self.critics, self.pictures, self.blurred, strict=True):
            smooth = F.interpolate(masks, picture.shape[1:], mode="bilinear", align_corners=False)[:, 0]
            found.append(critic.judge(blurred + smooth * (picture - blurred), repeated, label)[0].mean(1))  # type: ignore[operator]
        return torch.stack(found).mean(0)

    def levels(self) -> np.ndarray:
        """(cells,) the mean level of each, in the units of the first critic's picture."""
        return F.adaptive_avg_pool2d(self.pictures[0], self.shape).flatten().double().numpy()


def curves(cells: Cells, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The verdicts as cells are deleted in an order, (cells,) indices, and as they are inserted in it into the blurred
    picture: (cells + 1,) each. A faithful order's first falls soon, and its second rises soon."""
    rank = np.argsort(order)
    kept = rank[None] >= np.arange(len(order) + 1)[:, None]
    return cells.verdicts(kept), cells.verdicts(~kept)


def _averaged(masks: Tensor) -> Tensor:
    """(n, 1, bands, stretches), each cell with its neighbours: weights 1, 2, 1 both ways."""
    weights = torch.tensor([0.25, 0.5, 0.25])
    x = F.pad(masks, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(F.conv2d(x, weights.view(1, 1, 3, 1)), weights.view(1, 1, 1, 3))


def _blurred(picture: Tensor, shape: tuple[int, int]) -> Tensor:
    """(1, bands, frames) smoothed by a Gaussian of BLUR cells."""
    x = picture.unsqueeze(0)
    for axis, (size, cells) in enumerate(zip(picture.shape[1:], shape, strict=True)):
        deviation = BLUR * size / cells
        reach = int(3 * deviation) + 1
        weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation).square())
        weights = (weights / weights.sum()).view((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1))
        x = F.conv2d(F.pad(x, (0, 0, reach, reach) if axis == 0 else (reach, reach, 0, 0), mode="replicate"), weights)
    return x[0]


def in_json(found: CriticsMap) -> Mapping[str, Any]:
    """The map as plain JSON: edges in Hz and seconds, and the cells' parts by band."""
    return {
        "verdict": round(found.verdict, 3),
        "of_blurred": round(found.blurred, 3),
        "bands_hz": [round(x) for x in found.hertz],
        "seconds": [round(x, 3) for x in found.seconds],
        "parts": [[round(float(x), 4) for x in row] for row in found.values],
    }
