"""Playing drums: hits that ring for their own time, whenever they are released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.parallel import parallel_map
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.modes import SLOTS
from antiphon.data.labelling.hits import LONGEST
from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.generators.one_shot import HitCurves, OneShotConfig, Ringing, gliding
from antiphon.networks.gesture import Gesture
from antiphon.networks.hit_shaping import KNOBS, curves_of, tuned
from antiphon.networks.knobs import turned
from antiphon.networks.model import DrumsModel
from antiphon.networks.timegrid import knots, pad_knots
from antiphon.voices.capabilities import Streams
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config
from antiphon.voices.known import LEAVE, NOISE_AS_TONE
from antiphon.voices.streams import Rendered
from antiphon.voices.styled import StyledVoice

BATCH = 16  # hits per pass
QUIET = -7.0  # nepers (-61 dB) below its peak, where a hit's tail is cut
VARIED = 0.06  # how far each take of a hit is from its drum's w


class DrumsVoice(StyledVoice, Streams):
    """A note's pitch is AS_RECORDED (60) plus semitones by which the drum is tuned up or down; its length and bends are
    ignored, and each take is another stroke of the same drum."""

    kind = "drums"
    pitched = False
    longest = LONGEST / SAMPLE_RATE
    song_part = "kit"
    knobs = KNOBS

    def describe(self) -> str:
        return f"sounds without a pitch of {self.longest:.2f} s"

    @torch.inference_mode()
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        w, notes = self._given(notes, w), self._shaped(notes)
        batches = [range(i, min(i + BATCH, len(notes))) for i in range(0, len(notes), BATCH)]

        def play(batch: range) -> list[np.ndarray]:
            return self._strike([notes[i] for i in batch], w[batch.start : batch.stop], parts)

        return [sound for sounds in parallel_map(lambda k: play(batches[k]), len(batches), threads) for sound in sounds]

    def stream(self, note: Note, w: Tensor | None = None) -> Rendered:
        """The hit, which is made at once: it rings as long as it rings, and letting it go means nothing."""
        return Rendered(self.notes([note], None if w is None else w.unsqueeze(0), threads=1)[0])

    def _strike(self, notes: Sequence[Note], w: Tensor, parts: bool) -> list[np.ndarray]:
        """(samples,) each, or (samples, 2) with modes and noise apart."""
        generator, g = self.model.generator, _gesture(notes)
        w = on_sphere(w + VARIED * _take_noise(notes, w.shape[1]))
        ringing = tuned(generator.tuning(w, g.pitch, g.velocity), g)
        curves = curves_of(generator, w, g)
        samples = _ends(curves, ringing, g.knots)
        sounds = [np.zeros(0, np.float32)] * len(notes)
        order = sorted(range(len(notes)), key=lambda i: samples[i])
        for some in (order[i : i + 4] for i in range(0, len(order), 4)):  # hits of similar length together
            longest = samples[some[-1]]
            at = torch.tensor(some)
            own, heard = Ringing(**{k: v[at] for k, v in vars(ringing).items()}), curves[some]
            part = _cut(g[at], longest, own)
            tones = generator.tones(generator.all_partials(heard, part, own), part)
            noise = generator.noise(heard, part)
            for row, i in enumerate(some):
                both = generator.begun(
                    torch.stack([tones[row], noise[row]], -1)[: samples[i]].unsqueeze(0), part.start[:1]
                )
                sound = both[0] * _fade_out(samples[i]).unsqueeze(-1)
                sounds[i] = (sound if parts else sound.sum(-1)).numpy()
        return sounds


def _gesture(notes: Sequence[Note]) -> Gesture:
    count = len(notes)
    pitch = torch.tensor([n.pitch for n in notes], dtype=torch.float32)
    return Gesture(
        pitch=pitch,
        velocity=torch.tensor([n.velocity / 127 for n in notes], dtype=torch.float32),
        release=torch.full((count,), torch.inf),
        start=torch.zeros(count, dtype=torch.long),
        samples=LONGEST,
        knots=pad_knots([knots(0, LONGEST, None)] * count),
        f0=torch.zeros(count, 0),
        take=torch.tensor([n.take * 7919 + n.seed for n in notes]),
        shaping=turned([n.shaping for n in notes], KNOBS),
    )


def _cut(g: Gesture, samples: int, ringing: Ringing) -> Gesture:
    """The first `samples` of a gesture, with gliding f0."""
    f0 = gliding(ringing.glide, g.pitch, g.start, samples)
    return Gesture(g.pitch, g.velocity, g.release, g.start, samples, g.knots, f0, g.take)


def _take_noise(notes: Sequence[Note], style: int) -> Tensor:
    """(notes, style) offsets of each take from its drum's w; the first take is the drum itself."""
    rows = [np.random.default_rng((n.take, 5)).standard_normal(style, dtype=np.float32) * (n.take != 0) for n in notes]
    return torch.from_numpy(np.stack(rows))


def _ends(curves: HitCurves, ringing: Ringing, times: Tensor) -> list[int]:
    """Samples after which each hit has died away, a multiple of 512."""
    modes = curves.modes + torch.log(ringing.gains + 1e-7).unsqueeze(1)
    loud = torch.maximum(modes.amax(-1), curves.noise.amax(-1) + NOISE_AS_TONE)
    least = torch.maximum(loud.amax(1), curves.strike.amax((1, 2)) + NOISE_AS_TONE) + QUIET
    last = (torch.arange(loud.shape[1]) * (loud > least.unsqueeze(1))).amax(1)
    after = times.gather(1, (last + 1).clamp(max=loud.shape[1] - 1).unsqueeze(1)).squeeze(1)
    return [min(max(-(-int(t) // 512), 8) * 512, LONGEST) for t in after]


def _fade_out(samples: int) -> Tensor:
    """(samples,) gains that end a hit without a click."""
    gains = torch.ones(samples)
    gains[-LEAVE:] = torch.linspace(1, 0, LEAVE)
    return gains


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {  # lowest and highest allowed value of each width
    "style": (4, 1024),
    "width": (8, 4096),
    "hidden": (8, 8192),
    "blocks": (1, 64),
    "condition": (8, 4096),
    "noise_bands": (8, 512),
    "strike_bands": (8, 128),
}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> DrumsModel:
    c, labels = read_numbers(OneShotConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    claims = {
        "generator.enter.weight": (c.width, None),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition),
        "generator.heads.bias": (SLOTS + c.noise_bands + c.strike_bands,),
        "generator.conditioner.0.weight": (c.condition, c.style + 2),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    check_sizes(claims, tensors)
    return DrumsModel(c, labels)


KINDS = {"drums": Kind(DrumsModel, DrumsVoice, write_config, read)}
