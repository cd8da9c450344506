"""Listening to a recording for what is wrong with it: its band limit from the spectrum, clipping from where its samples
pile up, hum from lines that are always there, noise from its quietest moments, clicks from what no prediction expects.

No part of it is trained. It takes sound in blocks and needs the same memory however long that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from antiphon.audio.mending.clicks import BLOCK, clicks, prediction
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.steadiness import Steadiness, percentile
from antiphon.data.damage.damage import damages

SIZE = 4096  # samples of a spectrum
LONG = 32_768  # of those in which lines are looked for
LOWEST, STEP, LEVELS = -150.0, 1.5, 110  # dB of the first level that is counted, between two, how many
LINES = 2000  # bins of a long spectrum: up to 2.7 kHz
SILENT = -85.0  # dB of full scale, of a frame's power
SEEN = 9.0  # dB by which a line stands out
FAINT = 6.0  # dB by which one does at least
ASIDE = 0.35  # Hz by which it may seem to be elsewhere
HUM = 24.0  # what the lines of hum add up to at least
SOFT_NOISE = 32.0  # dB below the sound: recordings that nobody calls noisy have as much
SURE_NOISE = 25.0  # and softer noise than this is as often an instrument's
MUCH = 0.02  # share of samples that are clipped, from which on that sounds like noise between the partials
FEW_CLICKS = 1.5  # a second, that music itself may seem to have


@dataclass(frozen=True)
class Faults:
    """What was heard. amounts: of each damage that is there, in its own unit. doubtful: of those that may as well
    belong to the music, which are mended only if somebody asks for it. lines: frequencies of the hum, Hz. clipped:
    share of the samples, those at `ceiling`. peak: the largest sample. softly: as an amount of clipping, if peaks are
    bent in place of being cut off, which nothing mends."""

    amounts: dict[str, float] = field(default_factory=dict)
    doubtful: dict[str, float] = field(default_factory=dict)
    lines: tuple[float, ...] = ()
    clipped: float = 0.0
    ceiling: float = np.inf
    peak: float = 0.0
    softly: float | None = None

    @property
    def words(self) -> str:
        """In words: "cut off at 8 kHz, 2.1 % clipped, perhaps noise 31 dB below the sound, 50 Hz hum"."""
        said = []
        a = self.suspected
        if "bandwidth" in a:
            said.append(f"{self._perhaps('bandwidth')}cut off at {a['bandwidth'] / 1000:.1f} kHz")
        if "clipping" in a:
            said.append(f"{100 * self.clipped:.2g} % clipped")
        elif self.softly is not None:
            said.append("softly clipped")
        if "noise" in a:
            said.append(f"{self._perhaps('noise')}noise {a['noise']:.0f} dB below the sound")
        if "hum" in a:
            said.append(f"{self.lines[0]:.0f} Hz hum {a['hum']:.0f} dB below the sound")
        if "clicks" in a:
            said.append(f"{a['clicks']:.1f} clicks a second")
        if "codec" in a:
            said.append(f"a lossy codec of {a['codec']:.0f} kbit/s a channel")
        return ", ".join(said) or "nothing found"

    def _perhaps(self, name: str) -> str:
        return "perhaps " if name in self.doubtful else ""

    @property
    def suspected(self) -> dict[str, float]:
        """The amounts of all that is or may be wrong."""
        return self.amounts | self.doubtful

    @property
    def dominant(self) -> str | None:
        """The damage that is worst for its kind; None if nothing is wrong."""
        all_of_it = self.suspected if self.softly is None else {"clipping": self.softly, **self.suspected}
        known = damages()
        return max(all_of_it, key=lambda name: known[name].severity(all_of_it[name]), default=None)


class Listener:
    """Call it with blocks, (n, channels) float32 at 44.1 kHz; `heard` says what is wrong with what came so far."""

    def __init__(self) -> None:
        self._kept = np.zeros((0, 0), np.float32)
        self._levels = np.zeros((SIZE // 2 + 1, LEVELS), np.int32)
        self._lines = np.zeros((LINES, LEVELS), np.int32)
        self._line_levels = np.zeros(LINES)  # sums of dB, finer than those counts
        self._long = np.zeros((0, 0), np.float32)
        self._mean = np.zeros(SIZE // 2 + 1)
        self._steadiness = Steadiness()
        self._heights = np.zeros(4001, np.int64)  # of samples, by 0.02 dB from -60 to +20 dB of full scale
        self._peaks = np.zeros((801, 3))  # blocks by their peak, by 0.1 dB from -60 dB on: how many, sums of dB, dB^2
        self._samples = self._clicks = self._frames = self._looked = 0
        self._square = self._peak = 0.0

    # ---- counting ----------------------------------------------------------------------------------------------------

    def __call__(self, block: np.ndarray) -> None:
        if not len(block):
            return
        self._samples += len(block)
        size = np.abs(block)
        self._peak = max(self._peak, float(size.max()))
        self._square += float(np.square(np.abs(_mixed(block)), dtype=float).sum())
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
        mixed = _mixed(part)
        for start in range(0, BLOCK - SIZE + 1, SIZE // 2):
            frame = mixed[start : start + SIZE]
            if not _loud(frame):
                continue
            power = _powers(frame * _hann(), SIZE // 2 + 1)
            self._mean += power
            self._frames += 1
            self._levels[np.arange(len(power)), _level_of(power)] += 1
            self._steadiness(power)
        for half in np.split(part, 2):
            peak, level = 20 * np.log10(np.abs(half).max() + 1e-9), 10 * np.log10(np.square(half).mean() + 1e-18)
            self._peaks[int(np.clip(10 * (peak + 60), 0, 800))] += 1, level, level**2
        side = part[:, 0].astype(float)
        if np.abs(side).max() > 1e-3:
            self._clicks += len(clicks(side, prediction(side)))
            self._looked += BLOCK

    def _look_long(self, part: np.ndarray) -> None:
        mixed = _mixed(part)
        if not _loud(mixed):
            return
        power = _powers(mixed * _blackman(), LINES)
        self._lines[np.arange(LINES), _level_of(power)] += 1
        self._line_levels += 10 * np.log10(power + 1e-20)

    # ---- concluding --------------------------------------------------------------------------------------------------

    def heard(self) -> Faults:
        """What is wrong."""
        if not self._frames:
            return Faults(peak=self._peak)
        amounts: dict[str, float] = {}
        doubtful: dict[str, float] = {}
        lines, hum = self._hum()
        if lines:
            amounts["hum"] = hum
        cut, sure = cut_off(self._share(0.9))
        if cut is not None:
            (amounts if sure and cut > DULL else doubtful)["bandwidth"] = cut
        noise = noise_distance(
            self._share(0.1),
            self._share(0.5),
            self._share(0.9),
            self._mean / self._frames,
            cut,
            1.05 * max(lines, default=0.0),
        )
        clipped, ceiling, bent = pile_up(self._heights)
        if clipped:
            amounts["clipping"] = -10 * float(np.log10(clipped))
        rate = self._clicks * SAMPLE_RATE / max(self._looked, 1)
        if rate > FEW_CLICKS and not bent:  # what is cut off has corners that look like clicks
            amounts["clicks"] = rate
        if noise is not None and not (clipped > MUCH and noise > 0.6 * amounts["clipping"]):
            worn = "hum" in amounts or "clicks" in amounts  # what has these has noise
            sure = noise < SURE_NOISE and (worn or self._steadiness.noise(*treble(cut), HZ[1]))
            (amounts if sure else doubtful)["noise"] = noise
        softly = None if clipped else bent_peaks(self._peaks)
        return Faults(amounts, doubtful, lines, clipped, ceiling, self._peak, softly)

    def _share(self, share: float) -> np.ndarray:
        """The level, in dB, below which each bin is for a share of the time."""
        return _percentile(self._levels, share)

    def _hum(self) -> tuple[tuple[float, ...], float]:
        count = int(self._lines[0].sum())
        if count < 3:
            return (), 0.0
        power = self._square / max(self._samples, 1)
        quiet, loud = (_percentile(self._lines, share) for share in (0.25, 0.75))
        return hum_lines(quiet, loud, self._line_levels / count, power)


def _mixed(part: np.ndarray) -> np.ndarray:
    """(samples,) two channels as a complex number, whose power is the sum of theirs, be they alike, opposite or
    unrelated; the others are added, ever softer, lest they cancel out."""
    if part.shape[1] == 1:
        return part[:, 0]
    weights = 0.6 ** np.arange(part.shape[1]) * np.resize([1, 1j], part.shape[1])
    weights[1] = 1j
    return np.asarray(part @ weights.astype(np.complex64))


@cache
def _hann() -> np.ndarray:
    return np.asarray(np.hanning(SIZE + 1)[:-1] * (4 / SIZE), np.float32)


@cache
def _blackman() -> np.ndarray:
    return np.asarray(np.blackman(LONG) * (2 / (0.42 * LONG)), np.float32)


def _loud(frame: np.ndarray) -> bool:
    return bool(10 * np.log10(np.square(np.abs(frame)).mean(dtype=float) + 1e-20) > SILENT)


def _powers(frame: np.ndarray, bins: int) -> np.ndarray:
    """Of the lowest frequencies of a windowed frame."""
    spectrum = np.fft.fft(frame) if np.iscomplexobj(frame) else np.fft.rfft(frame)
    return np.square(np.abs(spectrum[:bins]), dtype=float)


def _level_of(power: np.ndarray) -> np.ndarray:
    return np.clip((10 * np.log10(power + 1e-20) - LOWEST) / STEP, 0, LEVELS - 1).astype(int)


def _percentile(counts: np.ndarray, share: float) -> np.ndarray:
    """(rows,) dB"""
    return LOWEST + STEP * (percentile(counts, share) + 0.5)


def _median(x: np.ndarray, span: int) -> np.ndarray:
    padded = np.pad(x, span // 2, mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, span), 1))


HZ = np.arange(SIZE // 2 + 1) * SAMPLE_RATE / SIZE
HIGHEST = 17_500.0  # Hz, of a band limit: most lossy codecs have one above
OCTAVE = 16  # bands in one
GRID = 2.0 ** np.arange(np.log2(300), np.log2(20_700), 1 / OCTAVE)  # their middles, Hz
EDGES = np.searchsorted(HZ, [GRID * 2 ** (-0.7 / OCTAVE), GRID * 2 ** (0.7 / OCTAVE)])
AHEAD = (4, 8, 12, 16)  # bands above a band limit where something is missing
GAP = 11.0  # dB by which the gaps before mirror images are deep
GENTLE, STEEPER = 14.3, 25.0  # dB at once, and an octave, by which music may fall below a straight line
SURE = 8.2  # dB beyond that; of the clean songs that seemed to be cut off none reached it (7.8)
DULL = 3500.0  # Hz: single low notes, and telephones, have nothing above


def cut_off(loud: np.ndarray) -> tuple[float | None, bool]:
    """Hz above which a spectrum, dB by bin, falls as no instrument's does, and stays low; None if there is no such
    place below 17.5 kHz; and whether that is sure.

    A line through the octave below a frequency says how loud it should be above: the less clearly, the less straight
    that octave is. What is soft anyway may fall further: synthesisers and old samples end there."""
    smooth = np.convolve(np.pad(loud, 6, mode="edge"), np.ones(13) / 13, "valid")
    bands = np.array([loud[first:last].mean() for first, last in zip(*EDGES, strict=True)])
    x = np.arange(-OCTAVE, 0) / OCTAVE
    best, where = 0.0, None
    for k in range(int(np.searchsorted(GRID, 1200)), int(np.searchsorted(GRID, HIGHEST))):
        slope, level = np.polyfit(x, bands[k - OCTAVE : k], 1)
        rough = float(np.std(bands[k - OCTAVE : k] - level - slope * x))
        least = GENTLE + 2 * rough + 0.2 * max(-80 - level, 0)
        for ahead in AHEAD:
            if k + ahead >= len(GRID):
                break
            missing = level + (min(slope, 0) - STEEPER) * ahead / OCTAVE - bands[k + ahead :].max()
            if missing - least > best:
                best, where = float(missing - least), k
    if where is None:
        return mirrored(loud), True
    edge = _edge(smooth, bands, where)
    return (edge if edge < HIGHEST else None), best > SURE


def mirrored(loud: np.ndarray) -> float | None:
    """Hz of a band limit above which there are mirror images of what is below, as simple players leave them: in a
    spectrum, dB by bin, they begin beyond a narrow gap, and the octave above has another."""
    smooth = np.convolve(np.pad(loud, 2, mode="edge"), np.ones(5) / 5, "valid")
    best, where = GAP, None
    for f in np.geomspace(2500, 15_500, 150):
        width = int(0.08 * f / HZ[1])
        tops = np.lib.stride_tricks.sliding_window_view(smooth, width).max(1)  # from each bin on

        def gap(at: float, f: float = f, width: int = width, tops: np.ndarray = tops) -> float:
            first, *sides = (int((at + share * f) / HZ[1] - width / 2) for share in (0, -0.5, -0.12, 0.12, 0.4))
            sides[3] = max(min(sides[3], len(tops)), sides[2] + 1)
            around = min(tops[sides[0] : sides[1]].min(), tops[sides[2] : sides[3]].min())
            return float(around - tops[first - 2 : first + 3].min())

        depth = gap(f)
        again = gap(2 * f) if 2.15 * f < GRID[-1] else depth / 10
        if again > 0.5 and depth + min(depth, again) > best:
            best, where = depth + min(depth, again), float(f)
    return where


def _edge(smooth: np.ndarray, bands: np.ndarray, found: int) -> float:
    """Hz at which a spectrum falls 3 dB below the line through the octave below, near a band."""
    x, edge, last = np.arange(-OCTAVE, 0) / OCTAVE, GRID[found], GRID[min(found + AHEAD[-1], len(GRID) - 1)]
    for _ in range(3):
        k = max(int(np.searchsorted(GRID, 0.93 * edge)), OCTAVE)
        slope, level = np.polyfit(x, bands[k - OCTAVE : k], 1)
        line = level + slope * np.log2(np.maximum(HZ, 1) / GRID[k])
        near = np.flatnonzero((GRID[found] / 2 < HZ) & (last > HZ) & (smooth > line - 3))
        edge = float(HZ[near[-1]]) if len(near) else float(GRID[found])
    return edge


def noise_distance(
    quiet: np.ndarray, usual: np.ndarray, loud: np.ndarray, mean: np.ndarray, cut: float | None, hum: float = 0.0
) -> float | None:
    """dB from a sound down to its noise; None if none matters. quiet, usual, loud: dB below which each bin
    is 10, 50 and 90 % of the time; mean: its mean power; hum: Hz below which lines of hum would be taken for noise.

    The power of noise in a bin is exponentially distributed: its percentiles are 8.2 and 5.2 dB apart, and the first is
    9.8 dB below its mean. Music is either steadier or livelier than that."""
    low, high = (_median(b - a, 41) for a, b in ((quiet, usual), (usual, loud)))
    bottom, top = treble(cut)
    inside = (max(60, hum) < HZ) & (top > HZ)
    noisy = inside & (low > 5) & (low < 11) & (high > 3) & (high < 8) & (quiet > -125)
    floor = np.minimum(10 ** ((_median(quiet, 41) + 9.8 + _swell(quiet, loud, noisy & (high < 6.8))) / 10), mean)
    everywhere = (HZ > 60) & (cut * 0.95 > HZ if cut else True)
    total = float(mean[everywhere].sum())
    if total < 1e-9 or not inside.any():  # an offset, and nothing else
        return None
    if noisy[inside & (bottom < HZ)].mean() < (0.55 if bottom else 0.85):
        return None
    seen = float(floor[noisy].sum())  # and in the other bins, as in the nearest of these
    whole = float(np.minimum(floor, 2 * np.interp(HZ, HZ[noisy], floor[noisy]))[everywhere].sum())
    distance = _distance(total, float(np.sqrt(seen * whole)))
    return distance if distance < SOFT_NOISE else None


def treble(cut: float | None) -> tuple[float, float]:
    """Hz between which noise is looked for: above most of the music, unless little is there below a band limit."""
    return (0.0 if cut is not None and cut < 6000 else 3000.0), 0.95 * (cut or 18_000)


def _swell(quiet: np.ndarray, loud: np.ndarray, alone: np.ndarray) -> float:
    """dB by which noise that comes and goes is louder than its quietest moments suggest, in bins where it is alone."""
    return min(max(float(np.mean((loud - quiet)[alone])) - 13.4, 0.0), 4.0) if alone.any() else 0.0


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


def bent_peaks(blocks: np.ndarray) -> float | None:
    """Twice the dB from level to peak, where most peaks are as high as any although levels differ; otherwise None.
    blocks: how many have a peak so high, by 0.1 dB, and the sums of their levels and their squares."""
    top = int(np.flatnonzero(blocks[:, 0])[-1]) if blocks[:, 0].any() else 0
    count, total, squares = (part := blocks[max(top - 300, 0) : top + 1]).sum(0)
    if top == 0 or count < 30:  # a note of a wind instrument is as steady, for so long
        return None
    heights = np.arange(len(part)) / 10
    mean = float(part[:, 0] @ heights / count)
    spread = float(np.sqrt(max(part[:, 0] @ heights**2 / count - mean**2, 0)))
    swing = float(np.sqrt(max(squares / count - (total / count) ** 2, 0)))
    crest = mean + max(top - 300, 0) / 10 - 60 - float(total) / count
    if part[-10:, 0].sum() < 0.4 * count or crest > 8.5 or not (spread < 0.17 or swing > 1.1):
        return None
    return 2 * crest


def hum_lines(quiet: np.ndarray, loud: np.ndarray, mean: np.ndarray, power: float) -> tuple[tuple[float, ...], float]:
    """The frequencies of the hum's lines, and dB from the sound down to them; none if there are none. quiet, loud: dB
    by bin of a long spectrum that each is above 75 and 25 % of the time; mean: its mean in dB."""
    above = quiet - _median(quiet, 31)
    best, base = HUM, 0.0
    for f in (*np.arange(49.7, 50.31, 0.05), *np.arange(59.7, 60.31, 0.05)):
        scores = np.array([_line(above, loud - quiet, mean, k * f) for k in range(1, 13)])
        if scores.sum() > best and scores[:2].any() and (scores > 0).sum() >= 3:
            best, base = float(scores.sum()), float(f)
    if not base:
        return (), 0.0
    lines = [
        k for k in range(1, 33) if _height(above, k * base) > SEEN or _line(above, loud - quiet, mean, k * base) > 0
    ]
    peaks = np.array([_peak(mean, k * base) / k for k in lines])
    order = np.argsort(peaks)
    weights = np.cumsum(np.array(lines, float)[order])
    base = float(peaks[order][np.searchsorted(weights, weights[-1] / 2)])  # high harmonics know it best
    total = sum(10 ** (quiet[round(k * base * LONG / SAMPLE_RATE)] / 10) / 2 for k in lines)
    distance = 10 * float(np.log10(max(power - total, 1e-2 * power) / max(total, 1e-20)))
    return tuple(k * base for k in lines), distance


def _line(above: np.ndarray, swing: np.ndarray, mean: np.ndarray, hertz: float) -> float:
    """How much a line of hum is to be seen there, 0 to 25. Hum is as loud at all times, which no note is, and exactly
    where it should be. swing: dB by which each bin is louder at times."""
    height = _height(above, hertz)
    if height < FAINT or abs(_peak(mean, hertz) - hertz) > ASIDE:
        return 0.0
    at = round(hertz * LONG / SAMPLE_RATE) - 1
    at += int(np.argmax(above[at : at + 3]))
    return min(height, 25.0) * float(np.clip((8 - swing[at]) / 5, 0, 1))


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
