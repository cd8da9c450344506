"""Listening to a recording for what is wrong with it: its band limit from the spectrum, clipping from where its samples
pile up, hum from lines that are always there, noise from its quietest moments, clicks from what no prediction expects.

No part of it is trained. It takes sound in blocks and needs the same memory however long that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from antiphon.audio.mending.clicks import BLOCK, clicks, prediction

SIZE = 4096  # samples of a spectrum
LONG = 32_768  # of those in which lines are looked for
RATE = 44100
LOWEST, STEP, LEVELS = -150.0, 1.5, 110  # dB of the first level that is counted, between two, how many
LINES = 2000  # bins of a long spectrum: up to 2.7 kHz
SILENT = -85.0  # dB of full scale, of a frame's power


@dataclass(frozen=True)
class Faults:
    """What was heard. amounts: of each damage that is there, in its own unit. lines: frequencies of the hum, Hz.
    clipped: share of the samples. peak, level: largest sample, and root of the mean power. sides: whether all channels
    are alike."""

    amounts: dict[str, float] = field(default_factory=dict)
    lines: tuple[float, ...] = ()
    clipped: float = 0.0
    ceiling: float = np.inf
    peak: float = 0.0
    level: float = 0.0
    offset: float = 0.0

    @property
    def words(self) -> str:
        """In words: "cut off at 8 kHz, 2.1 % clipped, noise 31 dB below the sound, 50 Hz hum"."""
        said = []
        a = self.amounts
        if "bandwidth" in a:
            said.append(f"cut off at {a['bandwidth'] / 1000:.1f} kHz")
        if "clipping" in a:
            said.append(f"{100 * self.clipped:.2g} % clipped")
        if "noise" in a:
            said.append(f"noise {a['noise']:.0f} dB below the sound")
        if "hum" in a:
            said.append(f"{self.lines[0]:.0f} Hz hum {a['hum']:.0f} dB below the sound")
        if "clicks" in a:
            said.append(f"{a['clicks']:.1f} clicks a second")
        if "codec" in a:
            said.append("holes of a lossy codec")
        return ", ".join(said) or "nothing found"


class Listener:
    """Call it with blocks, (n, channels) float32 at 44.1 kHz; `heard` says what is wrong with what came so far."""

    def __init__(self) -> None:
        self._kept = np.zeros((0, 0), np.float32)
        self._levels = np.zeros((SIZE // 2 + 1, LEVELS), np.int32)
        self._lines = np.zeros((LINES, LEVELS), np.int32)
        self._long = np.zeros((0, 0), np.float32)
        self._mean = np.zeros(SIZE // 2 + 1)
        self._heights = np.zeros(4001, np.int64)  # of samples, by 0.02 dB from -60 to +20 dB of full scale
        self._samples = self._clicks = self._frames = self._looked = 0
        self._sum = self._square = self._peak = 0.0

    # ---- counting ----------------------------------------------------------------------------------------------------

    def __call__(self, block: np.ndarray) -> None:
        if not len(block):
            return
        self._samples += len(block)
        size = np.abs(block)
        self._peak = max(self._peak, float(size.max()))
        self._sum += float(block.sum(dtype=float)) / block.shape[1]
        self._square += float(np.square(block, dtype=float).sum()) / block.shape[1]
        loud = size[size > 1e-3]
        np.add.at(self._heights, np.clip(20 * np.log10(loud) + 60, 0, 80).__mul__(50).astype(int), 1)
        self._kept = np.concatenate([self._kept.reshape(-1, block.shape[1]), block])
        while len(self._kept) >= BLOCK:
            self._look(self._kept[:BLOCK])
            self._kept = self._kept[BLOCK:]
        self._long = np.concatenate([self._long.reshape(-1, block.shape[1]), block])
        while len(self._long) >= LONG:
            self._look_long(self._long[:LONG])
            self._long = self._long[LONG // 2 :]

    def _look(self, part: np.ndarray) -> None:
        """The next BLOCK samples: spectra and clicks."""
        window = np.hanning(SIZE + 1)[:-1, None] * (4 / SIZE)
        for start in range(0, BLOCK - SIZE + 1, SIZE // 2):
            frame = part[start : start + SIZE]
            if 10 * np.log10(np.square(frame, dtype=float).mean() + 1e-20) < SILENT:
                continue
            power = np.square(np.abs(np.fft.rfft(frame * window, axis=0))).mean(1)
            self._mean += power
            self._frames += 1
            self._levels[np.arange(len(power)), _level_of(power)] += 1
        side = part[:, 0].astype(float)
        if np.abs(side).max() > 1e-3:
            self._clicks += len(clicks(side, prediction(side)))
            self._looked += BLOCK

    def _look_long(self, part: np.ndarray) -> None:
        mono = part.mean(1)
        if 10 * np.log10(np.square(mono, dtype=float).mean() + 1e-20) < SILENT:
            return
        window = np.blackman(LONG) * (2 / (0.42 * LONG))
        power = np.square(np.abs(np.fft.rfft(mono * window)[:LINES]))
        self._lines[np.arange(LINES), _level_of(power)] += 1

    # ---- concluding --------------------------------------------------------------------------------------------------

    def heard(self) -> Faults:
        """What is wrong."""
        count = max(self._samples, 1)
        level = float(np.sqrt(self._square / count))
        basics = {"peak": self._peak, "level": level, "offset": self._sum / count}
        if not self._frames:
            return Faults(**basics)  # type: ignore[arg-type]
        amounts: dict[str, float] = {}
        lines, hum = self._hum()
        if lines:
            amounts["hum"] = hum
        cut = self._cut_off()
        if cut is not None:
            amounts["bandwidth"] = cut
        noise = self._noise(cut)
        if noise is not None:
            amounts["noise"] = noise
        clipped, ceiling = self._clipped()
        if clipped:
            amounts["clipping"] = clip_distance(clipped)
        if self._looked and (rate := self._clicks * RATE / self._looked) > 0.4:
            amounts["clicks"] = rate
        return Faults(amounts, lines, clipped, ceiling, **basics)  # type: ignore[arg-type]

    def _share(self, share: float) -> np.ndarray:
        """The level, in dB, below which each bin is for a share of the time."""
        return _percentile(self._levels, share)

    def _cut_off(self) -> float | None:
        return cut_off(self._share(0.9))

    def _noise(self, cut: float | None) -> float | None:
        return noise_distance(self._share(0.1), self._share(0.5), self._mean / self._frames, cut)

    def _clipped(self) -> tuple[float, float]:
        return pile_up(self._heights)

    def _hum(self) -> tuple[tuple[float, ...], float]:
        if self._lines[0].sum() < 3:
            return (), 0.0
        return hum_lines(_percentile(self._lines, 0.25), self._square / max(self._samples, 1))


def _level_of(power: np.ndarray) -> np.ndarray:
    return np.clip((10 * np.log10(power + 1e-20) - LOWEST) / STEP, 0, LEVELS - 1).astype(int)


def _percentile(counts: np.ndarray, share: float) -> np.ndarray:
    total = np.cumsum(counts, 1)
    at = (total >= share * total[:, -1:]).argmax(1)
    return np.asarray(LOWEST + STEP * (at + 0.5))


def cut_off(loud: np.ndarray) -> float | None:
    """Hz above which a spectrum, dB by bin, falls as no instrument's does; None if it does not."""
    hz = np.arange(len(loud)) * RATE / SIZE
    smooth = np.convolve(np.pad(loud, 8, mode="edge"), np.ones(17) / 17, "valid")
    best, where = 0.0, None
    for f in np.geomspace(1200, 19_500, 240):
        below = smooth[(hz > f * 0.80) & (hz < f * 0.97)]
        above = smooth[(hz > f * 1.06) & (hz < f * 1.25)]
        beyond = smooth[hz > f * 1.1]
        if not len(above) or not len(beyond):
            continue
        fall = float(below.mean() - above.mean())
        if fall > best and beyond.max() < below.mean() - 15:
            best, where = fall, f
    return where if best > 22 else None


def noise_distance(quiet: np.ndarray, usual: np.ndarray, mean: np.ndarray, cut: float | None) -> float | None:
    """dB from a sound down to its noise: that which even its quietest moments have between the partials."""
    hz = np.arange(len(quiet)) * RATE / SIZE
    inside = (hz > 40) & (hz < (cut or 20_000) * 0.95)
    floor = 10 ** ((_median(quiet, 41) + 9.0) / 10)  # a tenth of the time noise is 9.8 dB below its mean
    total, noise = float(mean[inside].sum()), float(np.minimum(floor, mean)[inside].sum())
    return 10 * float(np.log10(max(total - noise, 1e-3 * total) / max(noise, 1e-20)))


def _median(x: np.ndarray, span: int) -> np.ndarray:
    padded = np.pad(x, span // 2, mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, span), 1))


def pile_up(heights: np.ndarray) -> tuple[float, float]:
    """Share of the samples that are as high as can be, and that height; 0 where they do not pile up."""
    top = int(np.flatnonzero(heights)[-1]) if heights.any() else 0
    best, where = 0, 0
    for at in range(max(top - 100, 0), top + 1):
        if heights[at] > best:
            best, where = int(heights[at]), at
    near = heights[max(where - 50, 0) : max(where - 5, 0)]
    usual = float(near.mean()) if len(near) else 0.0
    here = int(heights[max(where - 2, 0) :].sum())
    beyond = int(heights[where + 5 :].sum())
    total = max(int(heights.sum()), 1)
    if here < 20 or best < 8 * (usual + 1) or beyond > 0.2 * here:
        return 0.0, np.inf
    return here / total, 10 ** ((where / 50 - 60) / 20)


def clip_distance(share: float) -> float:
    """dB from a sound down to the error of clipping a share of its samples, roughly: music's samples are as those of a
    Laplace distribution."""
    return float(-10 * np.log10(max(share, 1e-9)))


def hum_lines(quiet: np.ndarray, power: float) -> tuple[tuple[float, ...], float]:
    """The frequencies of the hum's lines, and dB from the sound down to them; none if there are none."""
    width = RATE / LONG
    around = _median(quiet, 31)
    best: tuple[float, list[float], float] = (0.0, [], 0.0)
    for base in (*np.arange(49.6, 50.41, 0.1), *np.arange(59.6, 60.41, 0.1)):
        found, score, total = [], 0.0, 0.0
        for k in range(1, 33):
            at = round(float(k * base / width))
            if at + 2 >= len(quiet):
                break
            near = slice(max(at - 1, 0), at + 2)
            above = float(quiet[near].max() - around[at])
            if above > 9:
                found.append(k * base)
                score += min(above, 30)
                total += 10 ** (quiet[near].max() / 10) / 2
        if score > best[0]:
            best = score, found, total
    score, found, total = best
    if len(found) < 3 or score < 45:
        return (), 0.0
    return tuple(float(f) for f in found), 10 * float(np.log10(max(power - total, 1e-9 * power) / max(total, 1e-20)))
