"""Playing scenes: places that sound for any time, streamed in stereo, or in a loop that closes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.ops import resample
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.core.parallel import one_thread, parallel_map
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.pulse import Pulse, find_pulse
from antiphon.data.scenes import cleaned
from antiphon.networks.chance import FAST_FEATURES, KNOT_FEATURES, Chance, hashed, uniform
from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.generators.scene import FAST_TICK, SHORT, SHORT_HOP, SLOW_TICK, SceneConfig, SceneGenerator
from antiphon.networks.noise import sine_window
from antiphon.networks.optimisers import Adam
from antiphon.networks.place import REGULAR, SceneModel
from antiphon.networks.texture import DESCRIPTORS, LONG, LONG_HOP, TextureView, joined, statistics
from antiphon.voices.capabilities import ImaginesScenes, Place, ScenePath
from antiphon.voices.interpolation import blended
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config
from antiphon.voices.styled import StyledVoice
from antiphon.voices.voice import VoiceInfo

CHUNK = 65_536  # samples that are made at once, whatever is asked for
REACH = LONG // 2  # samples by which a frame of noise reaches beyond its centre
WINDOW = 65_536  # samples of a stretch that is heard
MOST_WINDOWS = 24
SHORTEST_LOOP, LONGEST = 0.5, 24 * 3600.0  # seconds
MOST_POINTS = 10_000
FADE = 0.02  # seconds at both ends of a scene that is played as a note
LAYERS = (("long", LONG, LONG_HOP, 1), ("short", SHORT, SHORT_HOP, 3))
NARROW = 0.15  # a label whose recordings span less of a descriptor is given all of the voice's range


class SceneVoice(StyledVoice, ImaginesScenes):
    """As notes, scenes last as long as they are held and are the middle of what is stereo in `scene`; pitch and bends
    are ignored. w is on a sphere, like an instrument's."""

    kind = "scene"
    pitched = False
    song_part = None
    model: SceneModel  # type: ignore[assignment]

    def __init__(self, model: SceneModel, info: VoiceInfo):
        super().__init__(model, info)  # type: ignore[arg-type]
        self.view = TextureView()

    def describe(self) -> str:
        return "places that sound for any time, in stereo"

    # ---- hearing -----------------------------------------------------------------------------------------------------

    def hear(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        w, pulse = self._heard(audio, sample_rate)
        return self._ticking(w, pulse).numpy() if pulse.strength > REGULAR else w.numpy()

    def _ticking(self, w: Tensor, pulse: Pulse) -> Tensor:
        """w moved, as little as will do, until the teller says the pulse that was measured: the ear of a network is not
        as exact as that."""
        rate, strength = torch.tensor([pulse.rate]), torch.tensor([pulse.strength])
        with torch.no_grad():
            told = self.model.teller(w.unsqueeze(0))[2]
        moved = w.clone().requires_grad_(True)
        optimiser = Adam([moved], 0.03)
        with torch.enable_grad():
            for _ in range(80):
                optimiser.zero_grad()
                loss = self.model.teller.loss(on_sphere(moved).unsqueeze(0), rate, strength, told)
                (loss + 0.5 * (moved - w).square().mean()).backward()
                optimiser.step()
        return on_sphere(moved.detach())

    @torch.no_grad()
    def _heard(self, audio: np.ndarray, sample_rate: int) -> tuple[Tensor, Pulse]:
        sound = resample(np.asarray(audio, np.float32), sample_rate, SAMPLE_RATE)
        try:
            both = cleaned(sound, 0.0)
        except ValueError as error:
            raise AntiphonError(f"cannot hear a place in this recording: {error}") from None
        pulse = find_pulse(both[:, 0])
        while len(both) < WINDOW:
            both = np.concatenate([both, both])
        count = min(len(both) // WINDOW, MOST_WINDOWS)
        starts = np.linspace(0, len(both) - WINDOW, count).astype(int)
        windows = np.zeros((count, 2, WINDOW), np.float32)
        for window, start in zip(windows, starts, strict=True):
            window[: both.shape[1]] = both[start : start + WINDOW].T
        found = [
            self.model.encoder(
                joined(statistics(self.view(torch.from_numpy(windows[i : i + 4])))),
                torch.full((len(windows[i : i + 4]),), pulse.rate),
                torch.full((len(windows[i : i + 4]),), pulse.strength),
            )
            for i in range(0, count, 4)
        ]
        return on_sphere(torch.cat(found).mean(0)), pulse

    def encode(
        self, recordings: Sequence[np.ndarray], pitches: Sequence[float], holds: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """As `hear`; silence is the typical place of the first label."""
        found = []
        for one in recordings:
            try:
                found.append(self.hear(one, SAMPLE_RATE))
            except AntiphonError:
                found.append(self.typical(self.instruments[0]).numpy())
        return np.stack(found)

    # ---- playing -----------------------------------------------------------------------------------------------------

    def scene(
        self,
        sound: ScenePath,
        *,
        seed: int = 0,
        seconds: float | None = None,
        loop: bool = False,
        variation: float = 1.0,
        density: float | None = None,
        brightness: float | None = None,
        motion: float | None = None,
        width: float | None = None,
    ) -> Scene:
        controls = dict(zip(DESCRIPTORS, (density, brightness, motion, width), strict=True))
        length = _checked(sound, seconds, loop, variation, controls)
        points = [(float(at), self._point(place, seed, variation, controls)) for at, place in sound]
        return Scene(self.model.generator, points, seed, length, loop)

    @torch.inference_mode()
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        if parts:
            raise self.cannot("separate tones from noise")
        given = self._given(notes, w)

        def play(i: int) -> np.ndarray:
            note = notes[i]
            seed = note.seed * 1009 + note.take
            samples = max(round(min(note.seconds, LONGEST) * SAMPLE_RATE), 1)
            heard = Scene(self.model.generator, [(0.0, self._told(given[i], {}))], seed, samples, False).read(samples)
            fade = min(round(FADE * SAMPLE_RATE), samples // 2)
            rise = np.linspace(0, 1, fade + 1, dtype=np.float32)[1:]
            mid = heard.mean(1) * np.float32(note.velocity / 100)
            mid[:fade] *= rise
            mid[samples - fade :] *= rise[::-1]
            return mid

        return parallel_map(play, len(notes), threads)

    def _point(self, place: Place, seed: int, variation: float, controls: Mapping[str, float | None]) -> Point:
        if isinstance(place, np.ndarray):
            if place.shape != (self.model.config.style,) or not np.isfinite(place).all() or not place.any():
                raise AntiphonError(f"a place has {self.model.config.style} numbers: use what `hear` gives")
            w = on_sphere(torch.from_numpy(place.astype(np.float32)))
            return self._told(w, controls, self.nearest(w) if any(c is not None for c in controls.values()) else None)
        kept = {self.resolve(name, seed): float(share) for name, share in place.items() if share > 0}
        total = sum(kept.values())
        if not kept or not math.isfinite(total):
            raise AntiphonError("a place needs a label with a weight above 0")
        ws = [self.imagine(name, (), seed, variation) for name in kept]
        w = blended(ws, [share / total for share in kept.values()])
        return self._told(w, controls, max(kept, key=lambda name: kept[name]))

    @torch.inference_mode()
    def _told(self, w: Tensor, controls: Mapping[str, float | None], label: str | None = None) -> Point:
        """A place with what its teller says, or what controls ask for."""
        rate, strength = self.model.teller.pulse(w.unsqueeze(0))
        told = self.model.teller(w.unsqueeze(0))[2][0].clamp(-0.2, 1.2).clone()
        scales = {scale.name: scale for scale in self.model.labels.scales}
        for i, name in enumerate(DESCRIPTORS):
            value = controls.get(name)
            if value is None:
                continue
            low, high = 0.0, 1.0
            if name in scales:
                scale = scales[name]
                mean, spread = scale.usual[self.instruments.index(label)] if label else (0.5, 0.5)
                ends = (0.0, 1.0) if spread < NARROW / 4 else (max(mean - 2 * spread, 0), min(mean + 2 * spread, 1))
                low, high = (scale.low + (scale.high - scale.low) * end for end in ends)
            told[i] = low + (high - low) * value
        return Point(w.clone(), told, float(rate), float(strength))


def _checked(
    sound: ScenePath, seconds: float | None, loop: bool, variation: float, controls: Mapping[str, float | None]
) -> int | None:
    """Samples of a scene. Raises AntiphonError for what cannot be."""
    if not 0 < len(sound) <= MOST_POINTS:
        raise AntiphonError(f"a scene goes through 1 to {MOST_POINTS} places, not {len(sound)}")
    times = [at for at, _ in sound]
    if not all(math.isfinite(at) for at in times) or any(b < a for a, b in pairwise(times)):
        raise AntiphonError("a scene's places come one after another: give their times in order")
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise AntiphonError(f"cannot imagine {seconds:g} s: use more than 0 and at most {LONGEST:g}, or no end")
    if loop and (seconds is None or seconds < SHORTEST_LOOP):
        raise AntiphonError(f"a loop needs a length of {SHORTEST_LOOP:g} s or more")
    if loop and not _same(sound[0][1], sound[-1][1]):
        raise AntiphonError("a loop ends where it begins: leave out the change, or the loop")
    for name, value in {"variation": variation, **controls}.items():
        if value is not None and not 0 <= value <= 1:
            raise AntiphonError(f"{name}={value:g} is not valid: use 0 to 1")
    return None if seconds is None else max(round(seconds * SAMPLE_RATE), 1)


def _same(a: Place, b: Place) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b)
    return dict(a) == dict(b)


# ---- a stream --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A place: w (style,), told (4,) descriptors, its pulse's rate in Hz and strength, 0 for none."""

    w: Tensor
    told: Tensor
    rate: float
    strength: float


class Scene:
    """A SceneStream. It is made in chunks of CHUNK samples, whatever blocks are read. All it remembers are frames of
    noise that reach from one chunk into the next, and how often a pulse has ticked."""

    def __init__(
        self,
        generator: SceneGenerator,
        points: Sequence[tuple[float, Point]],
        seed: int,
        length: int | None,
        loop: bool,
    ):
        self.generator, self.seed, self.length = generator, seed, length
        self.times, self.points = [at for at, _ in points], [point for _, point in points]
        self.loop = length if loop else None
        period = None if self.loop is None else self.loop / SAMPLE_RATE
        self.chance = Chance(int(hashed(seed, 0, np.zeros(1, np.int64))[0] >> np.uint64(2)), period)
        self.turn = float(uniform(self.chance.seed, 7, np.zeros(1, np.int64))[0])
        self.cycles: float | None = None  # of the pulse at the next chunk's second knot
        self.at = -CHUNK  # the next chunk; the one before the beginning reaches into it
        self.left = np.zeros((2, 2 * REACH), np.float32)  # what frames so far add to `at` - REACH .. `at` + REACH
        self.ready: list[np.ndarray] = []
        self.read_so_far = 0
        self._condition = torch.zeros(0)
        self._where = -1

    def read(self, frames: int) -> np.ndarray:
        if self.length is not None:
            frames = min(frames, self.length - self.read_so_far)
        parts, missing = [], max(frames, 0)
        while missing:
            if not self.ready:
                self.ready.append(self._next())
            part = self.ready.pop(0)
            if len(part) > missing:
                self.ready.insert(0, part[missing:])
                part = part[:missing]
            parts.append(part)
            missing -= len(part)
        self.read_so_far += max(frames, 0)
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)

    # ---- time --------------------------------------------------------------------------------------------------------

    def _frames(self, hop: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and centres, in samples, of a layer's frames in start..stop. In a loop there are as many as fit, and
        they are a little further apart."""
        if self.loop is None:
            numbers = np.arange(-(-start // hop), -(-stop // hop))
            return numbers, numbers * hop
        count = self.loop // hop
        numbers = np.arange(-(-start * count // self.loop), -(-stop * count // self.loop))
        return numbers, numbers * self.loop // count

    def _spacing(self, hop: int) -> float:
        """Samples from one frame to the next."""
        return float(hop) if self.loop is None else self.loop / (self.loop // hop)

    def _pulse(self, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cycles, rate and strength at knots, one after another from the one before a chunk's first."""
        step = self._spacing(LONG_HOP) / SAMPLE_RATE
        if len(self.points) == 1 and self.loop is None:
            one, count = self.points[0], len(knots)
            return self.turn + one.rate * step * knots, np.full(count, one.rate), np.full(count, one.strength)
        rate, strength = self._ticking(self._clock(knots * step))
        if self.loop is None:
            if self.cycles is None:
                self.cycles = self.turn + float(rate[1]) * step * int(knots[1])
            cycles = self.cycles + np.cumsum(rate * step) - (rate[0] + rate[1]) * step
            self.cycles = float(cycles[-1])
            return cycles, rate, strength
        around = self.loop // LONG_HOP  # a loop has whole cycles
        once = np.cumsum(self._ticking(np.arange(around) * step)[0] * step)
        whole = max(round(float(once[-1])), 1)
        factor = whole / once[-1]
        once = np.concatenate([[0.0], once[:-1]]) * factor
        return self.turn + once[knots % around] + whole * (knots // around), rate * factor, strength

    def _ticking(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rate and strength at times."""
        there = [i for i, p in enumerate(self.points) if p.strength > 0] or [0]  # others take over their rate
        logs = np.interp(times, [self.times[i] for i in there], [math.log(self.points[i].rate) for i in there])
        return np.exp(logs), np.interp(times, self.times, [p.strength for p in self.points])

    def _clock(self, times: np.ndarray) -> np.ndarray:
        """Times since the beginning of the scene, or of this turn of the loop."""
        return times if self.loop is None else times % (self.loop / SAMPLE_RATE)

    def _places(self, times: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """w (times, style) and told (times, 4), or None where the place does not change."""
        here = np.zeros(1)
        if len(self.times) > 1:
            here = np.interp(self._clock(times), self.times, np.arange(len(self.times)))
        low = np.floor(here).astype(int).clip(0, len(self.points) - 1)
        if np.ptp(here) == 0 and here[0] == low[0]:
            self._stay(int(low[0]))
            return None
        high, share = np.minimum(low + 1, len(self.points) - 1), torch.from_numpy((here - low).astype(np.float32))
        w, told = (torch.stack([getattr(p, name) for p in self.points]) for name in ("w", "told"))
        between = [torch.lerp(x[low], x[high], share.unsqueeze(1)) for x in (w, told)]
        return on_sphere(between[0]), between[1]

    def _stay(self, index: int) -> None:
        """What does not change in a place."""
        if self._where == index:
            return
        point, self._where = self.points[index], index
        self._condition = self.generator.condition(point.w.unsqueeze(0), point.told.unsqueeze(0))

    # ---- sound -------------------------------------------------------------------------------------------------------

    @one_thread()
    @torch.inference_mode()
    def _next(self) -> np.ndarray:
        """The next samples that no later frame reaches, (n, 2): none of those before the beginning."""
        start, stop = self.at, self.at + CHUNK
        out = np.zeros((2, CHUNK + 2 * REACH), np.float32)
        out[:, : 2 * REACH] = self.left
        for name, frames, centres, spacing in self._layers(start, stop):
            window, hop = next((size, hop) for layer, size, hop, _ in LAYERS if layer == name)
            frames *= np.float32(math.sqrt(spacing / hop))
            overlap_add(out, frames, centres - start + REACH - window // 2, hop if self.loop is None else None)
        self.left = out[:, CHUNK:].copy()
        self.at = stop
        first = max(REACH - start, 0) if start < 0 else 0
        mid, side = out[:, first:CHUNK]
        return np.stack([mid + side, mid - side], 1)

    def _layers(self, start: int, stop: int):  # type: ignore[no-untyped-def]
        """Each layer's name, windowed frames (2, n, window), centres in samples and spacing."""
        g = self.generator
        numbers, centres = self._frames(LONG_HOP, start, stop)
        spacing = self._spacing(LONG_HOP)
        knots = np.arange(numbers[0] - 1, numbers[-1] + 2)
        times = knots * (spacing / SAMPLE_RATE)
        cycles, rate, strength = self._pulse(knots)
        chance = torch.from_numpy(self.chance.knots(times, cycles, rate, strength))
        moving = self._places(times)
        condition, along = (g.condition(*moving), 1) if moving else (self._condition, 0)
        heard = g.knots(condition, chance.unsqueeze(along))
        level, drive = heard.level.squeeze(along), heard.drive.squeeze(along)
        long = g.long_gains(condition, heard.level).squeeze(along)[1:-1]
        yield "long", self._noise("long", long.transpose(0, 1), numbers), centres, spacing

        numbers, centres = self._frames(SHORT_HOP, start, stop)
        own = self._spacing(SHORT_HOP)
        at = numbers * own / spacing - knots[0]
        fast = torch.from_numpy(
            self.chance.moments(numbers * (own / SAMPLE_RATE), *(np.interp(at, np.arange(len(knots)), x)
                                                                for x in (cycles, rate, strength)))
        )  # fmt: skip
        told = _lerp(condition, at) if moving else condition
        shape = g.moments(told, _lerp(drive, at).unsqueeze(along), fast.unsqueeze(along))
        between = _lerp(level.flatten(1), at).unflatten(1, (2, -1)).unsqueeze(along)
        short = g.short_gains(told, between, shape).squeeze(along)
        yield "short", self._noise("short", short.transpose(0, 1), numbers), centres, own

    def _noise(self, name: str, gains: Tensor, numbers: np.ndarray) -> np.ndarray:
        """(2, frames, window) frames of noise, windowed. Which white spectra they are made of is chance too."""
        _, window, hop, layer = next(row for row in LAYERS if row[0] == name)
        white: Tensor = getattr(self.generator, f"white_{name}")
        cells = numbers if self.loop is None else numbers % (self.loop // hop)
        rows = [hashed(self.chance.seed, 9000 + 10 * layer + side, cells) for side in (0, 1)]
        index = torch.from_numpy((np.stack(rows) % np.uint64(len(white))).astype(np.int64))
        frames = torch.fft.irfft(gains * white[index], n=window).mul_(sine_window(window, hop))
        return frames.numpy()


def overlap_add(out: np.ndarray, frames: np.ndarray, starts: np.ndarray, hop: int | None) -> None:
    """Add frames (2, n, window) to out (2, samples) where they start; hop: if that is everywhere the same."""
    window = frames.shape[-1]
    if hop is None:
        for i, start in enumerate(starts.tolist()):
            out[:, start : start + window] += frames[:, i]
        return
    lap = window // hop
    for i in range(min(lap, len(starts))):  # every lap-th frame: they touch and do not overlap
        row = frames[:, i::lap].reshape(len(frames), -1)
        out[:, starts[i] : starts[i] + row.shape[1]] += row


def _lerp(values: Tensor, at: np.ndarray) -> Tensor:
    """values (n, features) at places `at` (m,) in 0..n-1, on straight lines."""
    low = np.floor(at).astype(np.int64).clip(0, len(values) - 2)
    share = torch.from_numpy((at - low).astype(np.float32)).unsqueeze(1)
    index = torch.from_numpy(low)
    return torch.lerp(values[index], values[index + 1], share)


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {  # lowest and highest allowed value of each width
    "style": (4, 1024),
    "width": (8, 2048),
    "hidden": (8, 4096),
    "blocks": (1, 32),
    "condition": (8, 2048),
    "bands": (8, 256),
    "short_bands": (8, 64),
    "fast": (8, 1024),
    "fast_hidden": (8, 2048),
}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SceneModel:
    c, labels = read_numbers(SceneConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    if labels.styles or any(scale.name not in DESCRIPTORS for scale in labels.scales):
        raise ValueError("its label table is not one of places")
    claims = {
        "generator.enter.weight": (c.width, KNOT_FEATURES - SLOW_TICK),
        f"generator.trunk.{c.blocks - 1}.up.weight": (2 * c.hidden, c.width),
        f"generator.trunk.{c.blocks - 1}.film.weight": (3 * c.width, c.condition + c.axes),
        "generator.heads.bias": (2 * c.bands + c.fast,),
        "generator.base.bias": (2 * c.bands,),
        "generator.conditioner.0.weight": (c.condition, c.style + len(DESCRIPTORS)),
        "generator.tick.weight": (FAST_TICK * c.short_bands, c.condition + c.axes),
        "generator.fast_enter.weight": (c.fast, FAST_FEATURES),
        "generator.fast_down.weight": (2 * c.short_bands, c.fast_hidden),
        "mapping.label.weight": (len(labels.instruments), None),
    }
    check_sizes(claims, tensors)
    return SceneModel(c, labels)


KINDS = {"scene": Kind(SceneModel, SceneVoice, write_config, read)}
