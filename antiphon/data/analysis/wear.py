"""Listening to a recording for what is wrong with it: its band limit from the spectrum, clipping from where its samples
pile up, hum from lines that are always there, noise from its quietest moments, clicks from what no prediction expects.

No part of it is trained. It takes sound in blocks and needs the same memory however long that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from antiphon.audio.mending.clicks import BLOCK, clicks, prediction
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.damage.damage import damages

SIZE = 4096  # samples of a spectrum
LONG = 32_768  # of those in which lines are looked for
LOWEST, STEP, LEVELS = -150.0, 1.5, 110  # dB of the first level that is counted, between two, how many
LINES = 2000  # bins of a long spectrum: up to 2.7 kHz
SILENT = -85.0  # dB of full scale, of a frame's power
SEEN = 9.0  # dB by which a line stands out
LOUD_NOISE = 7.0  # dB below the sound, at most, for noise that has no steady level
SOFT_NOISE = 34.0  # dB below the sound: recordings that nobody calls noisy have as much
FEW_CLICKS = 1.5  # a second, that music itself may seem to have


@dataclass(frozen=True)
class Faults:
    """What was heard. amounts: of each damage that is there, in its own unit. lines: frequencies of the hum, Hz.
    clipped: share of the samples, those at `ceiling`. peak: the largest sample."""

    amounts: dict[str, float] = field(default_factory=dict)
    lines: tuple[float, ...] = ()
    clipped: float = 0.0
    ceiling: float = np.inf
    peak: float = 0.0

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
            said.append(f"a lossy codec of {a['codec']:.0f} kbit/s a channel")
        return ", ".join(said) or "nothing found"

    @property
    def dominant(self) -> str | None:
        """The damage that is worst for its kind; None if nothing is wrong."""
        known = damages()
        return max(self.amounts, key=lambda name: known[name].severity(self.amounts[name]), default=None)


class Listener:
    """Call it with blocks, (n, channels) float32 at 44.1 kHz; `heard` says what is wrong with what came so far."""

    def __init__(self) -> None:
        self._kept = np.zeros((0, 0), np.float32)
        self._levels = np.zeros((SIZE // 2 + 1, LEVELS), np.int32)
        self._lines = np.zeros((LINES, LEVELS), np.int32)
        self._line_levels = np.zeros(LINES)  # sums of dB, finer than those counts
        self._long = np.zeros((0, 0), np.float32)
        self._mean = np.zeros(SIZE // 2 + 1)
        self._heights = np.zeros(4001, np.int64)  # of samples, by 0.02 dB from -60 to +20 dB of full scale
        self._samples = self._clicks = self._frames = self._looked = 0
        self._square = self._peak = 0.0

    # ---- counting ----------------------------------------------------------------------------------------------------

    def __call__(self, block: np.ndarray) -> None:
        if not len(block):
            return
        self._samples += len(block)
        size = np.abs(block)
        self._peak = max(self._peak, float(size.max()))
        self._square += float(np.square(_mixed(block), dtype=float).sum())
        heights = np.clip(20 * np.log10(size[size > 1e-3]) + 60, 0, 80) * 50
        self._heights += np.bincount(heights.astype(int), minlength=4001)
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
        window = np.hanning(SIZE + 1)[:-1] * (4 / SIZE)
        mixed = _mixed(part)
        for start in range(0, BLOCK - SIZE + 1, SIZE // 2):
            frame = mixed[start : start + SIZE]
            if 10 * np.log10(np.square(frame, dtype=float).mean() + 1e-20) < SILENT:
                continue
            power = np.square(np.abs(np.fft.rfft(frame * window)))
            self._mean += power
            self._frames += 1
            self._levels[np.arange(len(power)), _level_of(power)] += 1
        side = part[:, 0].astype(float)
        if np.abs(side).max() > 1e-3:
            self._clicks += len(clicks(side, prediction(side)))
            self._looked += BLOCK

    def _look_long(self, part: np.ndarray) -> None:
        mono = _mixed(part)
        if 10 * np.log10(np.square(mono, dtype=float).mean() + 1e-20) < SILENT:
            return
        window = np.blackman(LONG) * (2 / (0.42 * LONG))
        power = np.square(np.abs(np.fft.rfft(mono * window)[:LINES]))
        self._lines[np.arange(LINES), _level_of(power)] += 1
        self._line_levels += 10 * np.log10(power + 1e-20)

    # ---- concluding --------------------------------------------------------------------------------------------------

    def heard(self) -> Faults:
        """What is wrong."""
        if not self._frames:
            return Faults(peak=self._peak)
        amounts: dict[str, float] = {}
        lines, hum = self._hum()
        if lines:
            amounts["hum"] = hum
        if (cut := cut_off(self._share(0.9))) is not None:
            amounts["bandwidth"] = cut
        noise = noise_distance(self._share(0.1), self._share(0.5), self._share(0.9), self._mean / self._frames, cut)
        if noise is not None:
            amounts["noise"] = noise
        clipped, ceiling, bent = pile_up(self._heights)
        if clipped:
            amounts["clipping"] = -10 * float(np.log10(clipped))
        rate = self._clicks * SAMPLE_RATE / max(self._looked, 1)
        if rate > FEW_CLICKS and not bent:  # what is cut off has corners that look like clicks
            amounts["clicks"] = rate
        return Faults(amounts, lines, clipped, ceiling, self._peak)

    def _share(self, share: float) -> np.ndarray:
        """The level, in dB, below which each bin is for a share of the time."""
        return _percentile(self._levels, share)

    def _hum(self) -> tuple[tuple[float, ...], float]:
        count = int(self._lines[0].sum())
        if count < 3:
            return (), 0.0
        power = self._square / max(self._samples, 1)
        return hum_lines(_percentile(self._lines, 0.25), self._line_levels / count, power)


def _mixed(part: np.ndarray) -> np.ndarray:
    """(samples,) all channels in one, none of them as loud as another, lest opposite ones cancel out. Noise of several
    channels added up is distributed as that of one is; a mean of their powers would not be."""
    return np.asarray(part @ (0.6 ** np.arange(part.shape[1])))


def _level_of(power: np.ndarray) -> np.ndarray:
    return np.clip((10 * np.log10(power + 1e-20) - LOWEST) / STEP, 0, LEVELS - 1).astype(int)


def _percentile(counts: np.ndarray, share: float) -> np.ndarray:
    total = np.cumsum(counts, 1)
    at = (total >= share * total[:, -1:]).argmax(1)
    return np.asarray(LOWEST + STEP * (at + 0.5))


def _median(x: np.ndarray, span: int) -> np.ndarray:
    padded = np.pad(x, span // 2, mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, span), 1))


HZ = np.arange(SIZE // 2 + 1) * SAMPLE_RATE / SIZE


def cut_off(loud: np.ndarray) -> float | None:
    """Hz above which a spectrum, dB by bin, falls as no instrument's does, and stays low; None if there is no such
    place below 17.5 kHz."""
    smooth = np.convolve(np.pad(loud, 6, mode="edge"), np.ones(13) / 13, "valid")
    best, where = 25.0, None
    for f in np.geomspace(1200, 17_500, 320):
        low, below, above = (smooth[(f * a < HZ) & (f * b > HZ)] for a, b in ((0.62, 0.8), (0.82, 0.985), (1.05, 1.2)))
        beyond = np.percentile(smooth[f * 1.05 < HZ], 90)
        if below.mean() - beyond < 22 or below.mean() < -95:
            continue
        fall = below.mean() - above.mean() - 1.5 * max(low.mean() - below.mean(), 0)
        if fall > best:
            best, where = float(fall), float(f)
    return where


def noise_distance(
    quiet: np.ndarray, usual: np.ndarray, loud: np.ndarray, mean: np.ndarray, cut: float | None
) -> float | None:
    """dB from a sound down to its noise; None if none matters. quiet, usual, loud: dB below which each bin
    is 10, 50 and 90 % of the time; mean: its mean power.

    The power of noise in a bin is exponentially distributed: its percentiles are 8.2 and 5.2 dB apart, and the first is
    9.8 dB below its mean. Music is either steadier or livelier than that."""
    low, high = (_median(b - a, 41) for a, b in ((quiet, usual), (usual, loud)))
    inside = (HZ > 60) & ((cut or 18_000) * 0.95 > HZ)
    noisy = inside & (low > 5) & (low < 11) & (high > 3) & (high < 8) & (quiet > -125)
    floor = np.minimum(10 ** ((_median(quiet, 41) + 9.2) / 10), mean)
    total = float(mean[inside].sum())
    if total < 1e-9:  # an offset, and nothing else
        return None
    treble = inside & (HZ > 3000) if cut is None or cut > 6000 else inside
    if noisy[treble].mean() < 0.55:  # loud noise that comes and goes, as outdoors; music is never so near its quietest
        distance = _distance(total, float(floor[inside].sum()))
        return distance if distance < LOUD_NOISE else None
    seen = float(floor[noisy].sum())  # and in the other bins, as in the nearest of these
    whole = float(np.minimum(floor, 2 * np.interp(HZ, HZ[noisy], floor[noisy]))[inside].sum())
    distance = _distance(total, float(np.sqrt(seen * whole)))
    return distance if distance < SOFT_NOISE else None


def _distance(total: float, noise: float) -> float:
    """dB from the rest down to the noise."""
    return 10 * float(np.log10(max(total - noise, 0.02 * total) / max(noise, 1e-20)))


def pile_up(heights: np.ndarray) -> tuple[float, float, bool]:
    """Share of the samples that are as high as can be, and that height, (0, inf) where they do not pile up; and whether
    they do at least somewhat, as after soft limiting."""
    if not heights.any():
        return 0.0, np.inf, False
    top = int(np.flatnonzero(heights)[-1])
    near, far = int(heights[max(top - 25, 0) :].sum()), int(heights[max(top - 300, 0) :].sum())
    spike = int(heights[max(top - 4, 0) :].max())
    usual = max(float(np.median(heights[max(top - 150, 0) : max(top - 20, 1)])), 1.0)
    total = max(int(heights.sum()), 1)
    bent = near > 0.03 * far and near > 1e-3 * total
    share = int(heights[max(top - 6, 0) :].sum()) / total
    if spike < 20 or spike < 10 * usual or share < 1e-4:
        return 0.0, np.inf, bent
    return share, 10 ** ((top / 50 - 60) / 20), True


def hum_lines(quiet: np.ndarray, mean: np.ndarray, power: float) -> tuple[tuple[float, ...], float]:
    """The frequencies of the hum's lines, and dB from the sound down to them; none if there are none. quiet: dB by bin
    of a long spectrum that each is above nearly always; mean: its mean in dB."""
    above = quiet - _median(quiet, 31)
    best, base = 33.0, 0.0
    for f in (*np.arange(49.7, 50.31, 0.05), *np.arange(59.7, 60.31, 0.05)):
        heights = np.array([_height(above, k * f) for k in range(1, 9)])
        score = float(np.minimum(heights, 25)[heights > SEEN].sum())
        if score > best and (heights[:6] > SEEN).sum() >= 3:
            best, base = score, float(f)
    if not base:
        return (), 0.0
    lines = [k for k in range(1, 33) if _height(above, k * base) > SEEN]
    peaks = np.array([_peak(mean, k * base) / k for k in lines])
    order = np.argsort(peaks)
    weights = np.cumsum(np.array(lines, float)[order])
    base = float(peaks[order][np.searchsorted(weights, weights[-1] / 2)])  # high harmonics know it best
    total = sum(10 ** (quiet[round(k * base * LONG / SAMPLE_RATE)] / 10) / 2 for k in lines)
    distance = 10 * float(np.log10(max(power - total, 1e-2 * power) / max(total, 1e-20)))
    return tuple(k * base for k in lines), distance


def _height(above: np.ndarray, hertz: float) -> float:
    """dB by which a line stands out there; 0 if a tone beside it does."""
    at = round(hertz * LONG / SAMPLE_RATE)
    around = above[max(at - 4, 0) : at + 5]
    top = float(above[at - 1 : at + 2].max()) if at + 2 < len(above) else 0.0
    return top if len(around) and top >= around.max() else 0.0


def _peak(levels: np.ndarray, hertz: float) -> float:
    """Hz of the top of a parabola through the highest of the bins around, and its neighbours."""
    at = round(hertz * LONG / SAMPLE_RATE)
    at += int(np.argmax(levels[at - 1 : at + 2])) - 1
    a, b, c = levels[at - 1 : at + 2]
    bend = a - 2 * b + c
    return float((at + (0.5 * (a - c) / bend if bend < 0 else 0.0)) * SAMPLE_RATE / LONG)
