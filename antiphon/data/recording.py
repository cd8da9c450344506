"""One recorded note as a person makes it, with hiss, room and perhaps more than was meant, made ready to be measured.

`one_note` takes out steady noise, cuts at a second attack, listens for the pitch, and refuses in words what is not
one pitched note. Audio is (samples,) float32 at 44.1 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from antiphon.data import analysis
from antiphon.data.edges import decibels, envelope
from antiphon.data.manifest import note_name
from antiphon.data.partials import excerpt, find_peaks
from antiphon.data.tracker import open_tracker
from antiphon.errors import AntiphonError
from antiphon.measures.pitch import track_pitch

SAMPLE_RATE = analysis.SAMPLE_RATE
SHORTEST = 0.08  # seconds that a note must last
TICK = 441  # samples: levels are taken every 10 ms
QUIET = 10  # ticks of quiet from which the noise is learned
NOISE_LIKE = 0.42  # spectral flatness, 0.56 for white noise and near 0 for a tone
FAINTEST = 15.0  # dB that a note must rise over the noise
ATTACK = 15.0  # dB that the level rises within 0.1 s at another attack
CONVINCING = 0.7  # share of the energy that a pitch of which the tracker is not sure must explain
OVERTONES = 6  # of a second note that are looked for


@dataclass(frozen=True)
class OneNote:
    """A note that can be learned from. audio: from just before its onset, without the noise. pitch: MIDI. remarks: what
    was done to it, for the player to read."""

    audio: np.ndarray
    pitch: float
    remarks: tuple[str, ...] = ()


def one_note(audio: np.ndarray, name: str, pitch: float | None = None, hint: float | None = None) -> OneNote:
    """Make one recording ready. Raises AntiphonError, naming it by `name`, if it is not one clean pitched note.

    pitch: MIDI, if the player says it; hint: a pitch its file's name claims, which settles doubtful octaves. With
    neither, the pitch is heard (extra `antiphon[pitch]`)."""
    sound, remarks = without_noise(np.asarray(audio, np.float32), name)
    first = analysis.find_onset(sound)
    again = second_attack(sound[first:])
    if again is not None:
        remarks += (f"{name}: another attack at {(first + again) / SAMPLE_RATE:.2f} s; only what comes before is used",)
        sound = sound[: first + again]
    if len(analysis.trim_tail(sound[first:])) < SHORTEST * SAMPLE_RATE:
        raise AntiphonError(f"{name} holds no note of {SHORTEST:g} s: record a longer one")
    sound = sound[max(first - 64, 0) :]
    if pitch is None:
        pitch = _heard_pitch(sound, name, hint)
    if not analysis.plausible_pitch(sound, pitch):
        raise AntiphonError(f"nothing in {name} sounds at {note_name(pitch)}: say which note it is with --pitch")
    other = chord_tone(sound, pitch)
    if other is not None:
        both = f"{note_name(pitch)} and {note_name(round(other))}"
        raise AntiphonError(f"{name} holds {both} at once: record one note alone")
    return OneNote(sound, pitch, remarks)


# ---- noise -----------------------------------------------------------------------------------------------------------


def without_noise(audio: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The audio less its steady noise, learned where the note is silent, and a remark if there was any.

    Power subtraction (Boll 1979; Berouti 1979: over-subtracted, with a floor). Raises AntiphonError if the note does
    not rise above the noise."""
    level = decibels(envelope(audio, TICK, QUIET))
    if not len(level) or level.max() < -80:
        raise AntiphonError(f"{name} is silent")
    at = _quietest(level)
    part = audio[at * TICK : (at + QUIET) * TICK]
    below = float(level.max()) - float(decibels(np.square(part, dtype=np.float64).mean(keepdims=True))[0])
    if below > 70 or len(part) < QUIET * TICK or flatness(part) < NOISE_LIKE:
        return audio, ()
    if below < FAINTEST:
        raise AntiphonError(f"the noise in {name} lies only {below:.0f} dB below the note: record it closer or louder")
    return _subtract(audio, part), (f"{name}: noise {below:.0f} dB below the note was taken out",)


def _quietest(level: np.ndarray) -> int:
    """The first tick of the quietest 0.1 s. Levels are centred, so a window's is that of its middle."""
    middle = (QUIET - 1) // 2 + 1
    inner = level[middle : len(level) - middle]
    return int(inner.argmin()) if len(inner) else 0


def flatness(part: np.ndarray) -> float:
    """Geometric over arithmetic mean of the power in bands of 300 Hz, weighted by their power: 1 = flat."""
    power = np.abs(np.fft.rfft(part * np.hanning(len(part) + 2)[1:-1])) ** 2 + 1e-20
    hz = np.arange(len(power)) * SAMPLE_RATE / len(part)
    power = power[(hz > 100) & (hz < 16_000)]
    bands = power[: len(power) // 32 * 32].reshape(-1, 32)
    return float(np.exp(np.log(bands).mean(1)).sum() / bands.mean(1).sum())


def _subtract(audio: np.ndarray, noise: np.ndarray, size: int = 1024) -> np.ndarray:
    window, hop = torch.hann_window(size), size // 4

    def analyse(x: np.ndarray, centred: bool) -> torch.Tensor:
        return torch.stft(torch.from_numpy(x), size, hop, window=window, center=centred, return_complex=True)

    spectrum, floor = analyse(audio, True), analyse(noise, False).abs().square().mean(-1, keepdim=True)
    gain = (1 - 3 * floor / spectrum.abs().square().clamp_min(1e-20)).clamp_min(1e-3).sqrt()
    return torch.istft(spectrum * gain, size, hop, window=window, length=len(audio)).numpy()


# ---- more than one note ----------------------------------------------------------------------------------------------


def second_attack(audio: np.ndarray) -> int | None:
    """The sample at which the level jumps up once more, later than 0.15 s after the onset (sample 0); None if it does
    not. Tremolo and beating, which jump less or too often to be another note, do not count."""
    level = decibels(envelope(audio, TICK, 5))
    rise = np.array([level[j] - level[max(j - 10, 0) : j + 1].min() for j in range(len(level))])
    jumps = np.flatnonzero((rise > ATTACK) & (level > level.max(initial=-160.0) - 30))
    starts = [int(j) for j in jumps if j > 15 and j - 1 not in jumps]
    if not starts or len(starts) > 5:
        return None
    before = level[max(starts[0] - 10, 0) : starts[0] + 1]
    return (starts[0] - (len(before) - 1 - int(before.argmin()))) * TICK


def chord_tone(audio: np.ndarray, pitch: float) -> float | None:
    """The MIDI pitch of a second harmonic series beside that of `pitch`; None if there is none.

    Bells and organs have strong partials off the grid too, but not most of another tone's first overtones."""
    part, base = excerpt(audio, analysis.hertz(pitch))
    peaks = find_peaks(part, base)
    strong = (peaks.above > 15) & (peaks.level > -35)
    hz, level = peaks.hz[strong], peaks.level[strong]
    order = hz / base
    off = np.abs(order - np.round(order)) > np.maximum(0.03 * order, 0.06)
    for f0 in hz[off & (level > -15)]:
        if f0 < 0.45 * base or abs(base / f0 - round(base / f0)) < 0.03:
            continue  # a sub-octave
        series = f0 * np.arange(1, OVERTONES + 1)
        foreign = np.abs(series / base - np.round(series / base)) > 0.06
        near = np.abs(hz[:, None] / series - 1).min(0, initial=1.0) < 0.012
        if foreign.sum() >= 3 and near[foreign].mean() >= 0.8:
            return float(69 + 12 * np.log2(f0 / 440))
    return None


# ---- pitch -----------------------------------------------------------------------------------------------------------


def _heard_pitch(sound: np.ndarray, name: str, hint: float | None) -> float:
    """The key nearest to what is heard; the hint's where the two differ by octaves or nothing is heard for sure."""
    tracker = open_tracker(demand=hint is None)
    if tracker is None:
        assert hint is not None
        return hint
    held = analysis.trim_tail(sound, -40.0)[: 3 * SAMPLE_RATE]
    heard = tracker.pitch(held, SAMPLE_RATE)
    if heard is None:
        parts = [tracker.pitch(part, SAMPLE_RATE) for part in np.array_split(held, 2)]
        if None not in parts and abs(parts[0] - parts[1]) > 0.8:  # type: ignore[operator]
            both = " and then ".join(note_name(round(part)) for part in parts)  # type: ignore[arg-type]
            raise AntiphonError(f"{name} holds {both}: cut it to one note")
        heard = _faintly_heard(held)
    if heard is not None:
        heard = octave_of(held, heard)
    if hint is not None and (heard is None or abs((heard - hint + 6) % 12 - 6) < 0.8):
        return hint
    if heard is None:
        raise AntiphonError(f"no steady pitch can be heard in {name}: say which note it is with --pitch")
    return float(round(heard))


def _faintly_heard(sound: np.ndarray) -> float | None:
    """What the tracker thinks it hears at all, if its harmonics then hold most of the sound."""
    pitch = track_pitch(sound)
    return pitch if np.isfinite(pitch) and harmonic_share(sound, pitch) > CONVINCING else None


def octave_of(audio: np.ndarray, pitch: float) -> float:
    """The pitch, or octaves above it while those explain the sound as well: above C7 the tracker hears too low."""
    while pitch < 108 and harmonic_share(audio, pitch + 12) > 0.98 * harmonic_share(audio, pitch):
        pitch += 12
    return pitch


def harmonic_share(audio: np.ndarray, pitch: float) -> float:
    """How much of the energy of the spectrum's peaks lies at the first 16 harmonics of a pitch, 0..1."""
    part, base = excerpt(audio, analysis.hertz(pitch))
    peaks = find_peaks(part, base)
    order = np.round(peaks.hz / base)
    near = (order >= 1) & (order <= 16) & (np.abs(peaks.hz - order * base) < np.maximum(0.03 * order * base, 3))
    energy = 10 ** (peaks.level / 10)
    return float(energy[near].sum() / max(energy.sum(), 1e-20))
