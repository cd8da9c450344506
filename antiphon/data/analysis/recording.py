"""Prepares a home recording of one note for measurement: it may have hiss, room, and more than one note.

`one_note` removes steady noise, keeps one attack, reconciles the given pitch with the pitch heard, and refuses, with a
reason, what is not one pitched note. Audio is (samples,) float32 at 44.1 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from antiphon.audio.envelope import decibels, envelope
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.analysis.ear import (
    chord_tone,
    explains,
    heard_pitch,
    octave_of,
    octave_told,
    partials_that_stand_out,
)
from antiphon.data.analysis.session import notes_in, played
from antiphon.data.labelling.row import note_name

SHORTEST = 0.08  # seconds that a note must last
TICK = 441  # samples: levels are measured every 10 ms
QUIET = 10  # ticks of quiet from which the noise is learned
NOISE_LIKE = 0.42  # spectral flatness, 0.56 for white noise and near 0 for a tone
FAINTEST = 15.0  # dB that a note must rise above the noise, and above what precedes its attack
FRAME, HOP = 1024, 256  # samples: of the spectra from which noise is subtracted
FADE = 60.0  # dB/s at which the noise after the note fades out
RISES = 2.0  # times the noise's power, averaged over all bands, above which something sounds
ATTACK = 15.0  # dB that the level rises within 0.1 s at a second attack
SHORTEST_PHRASE = 1.5  # seconds of three notes
WHOLE = 0.25  # seconds of a note worth learning from
FADE_OUT = 441  # samples at the end of a note cut off by the next
SAY = "give its note with --pitch"


@dataclass(frozen=True)
class OneNote:
    """A note that can be learned from. audio: from just before its onset, without the noise. pitch: MIDI. remarks: what
    was done to it, for the user."""

    audio: np.ndarray
    pitch: float
    remarks: tuple[str, ...] = ()


def one_note(
    audio: np.ndarray, name: str, pitch: float | None = None, hint: float | None = None, say: str = SAY
) -> OneNote:
    """Prepare one recording. Raises AntiphonError, which calls it `name`, if it is not one clean pitched note.

    pitch: MIDI, if the user gives it; hint: a pitch its file's name claims, believed if it can be heard at all. With
    neither, the pitch is estimated (extra `antiphon[pitch]`). say: how to give a pitch, for error messages."""
    sound, remarks = without_noise(np.asarray(audio, np.float32), name)
    sound, phrase = _first_of_phrase(sound, name)
    sound, more = _one_attack(sound, name)
    if len(analysis.cut_and_fade_tail(sound)) < SHORTEST * SAMPLE_RATE:
        raise AntiphonError(f"{name} has no note of {SHORTEST:g} s or longer: record a longer one")
    settled, doubt = _settled_pitch(sound, name, pitch, hint, say)
    other = chord_tone(sound, settled)
    if other is not None:
        raise _at_once(name, settled, other)
    return OneNote(sound, settled, remarks + phrase + more + doubt)


def _first_of_phrase(sound: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Of a phrase its first whole note, and a remark; anything else as it is."""
    spans = played(notes_in(sound)) if len(sound) > SHORTEST_PHRASE * SAMPLE_RATE else []
    if len({round(span.pitch) % 12 for span in spans if span.pitch is not None}) < 2 or len(spans) < 3:
        return sound, ()
    first = next((span for span in spans if span.end - span.start > WHOLE * SAMPLE_RATE), spans[0])
    note = sound[first.start : first.end].copy()
    fade = min(FADE_OUT, len(note))
    note[len(note) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    begins, ends = first.start / SAMPLE_RATE, first.end / SAMPLE_RATE
    return note, (
        f"{name}: {len(spans)} notes in succession; only the first, from {begins:.2f} to {ends:.2f} s, is used",
    )


def _one_attack(sound: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The sound from just before its first attack up to the next, and a remark on what is left out. A sound far fainter
    than what follows, such as a breath or a touch of the string, is not yet the note."""
    remarks: tuple[str, ...] = ()
    first = start = analysis.find_onset(sound)
    again = second_attack(sound[first:])
    while again is not None and _loudest(sound[start : start + again]) < _loudest(sound[start:]) - FAINTEST:
        start += again
        again = second_attack(sound[start:])
    if start > first:
        remarks = (f"{name}: the note begins at {start / SAMPLE_RATE:.2f} s; what precedes it is left out",)
    if again is not None:
        at = (start + again) / SAMPLE_RATE
        remarks += (f"{name}: there is another attack at {at:.2f} s; only what precedes it is used",)
        sound = sound[: start + again]
    return sound[max(start - 64, 0) :], remarks


def _loudest(sound: np.ndarray) -> float:
    """dB of the loudest 10 ms."""
    return float(decibels(envelope(sound, TICK, 1)).max(initial=-160.0))


def _at_once(name: str, one: float, other: float, way: str = "") -> AntiphonError:
    both = f"{note_name(one)} and {note_name(round(other))}"
    return AntiphonError(f"{name} contains {both} at once: record a single note{way}")


# ---- noise -----------------------------------------------------------------------------------------------------------


def without_noise(audio: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The audio without its steady noise, measured where the note is silent, and a remark if there was any.

    Hiss, rumble and hum alike: power subtraction (Boll 1979; Berouti 1979: over-subtracted, with a floor); everything
    before something rises above the noise becomes silence. Raises AntiphonError if the note does not rise above the
    noise."""
    level = decibels(envelope(audio, TICK, QUIET))
    if not len(level) or level.max() < -80:
        raise AntiphonError(f"{name} is silent")
    at = _noise_at(audio, level)
    if at is None:
        return audio, ()
    below = float(level.max()) - _level(audio, at)
    if below < FAINTEST:
        raise AntiphonError(f"the noise in {name} is only {below:.0f} dB below the note: record it closer or louder")
    return _subtracted(audio, at), (f"{name}: noise {below:.0f} dB below the note was removed",)


def _noise_at(audio: np.ndarray, level: np.ndarray) -> int | None:
    """The tick at which 0.1 s of noise worth removing, and nothing else, begins; None if there is no such place.

    Noise-like sound is noise wherever it is. Rumble and hum are recognised by preceding the note and continuing
    unchanged below it; a note's tail and a swell do neither."""
    for at, before in ((_quietest(level), False), (_quietest(level[: int(level.argmax()) + 1]), True)):
        part = audio[at * TICK : (at + QUIET) * TICK]
        below = float(level.max()) - _level(audio, at)
        if len(part) < QUIET * TICK or below > 70:
            continue
        noise = flatness(part) >= NOISE_LIKE
        if noise if not before else below >= FAINTEST and (noise or _goes_on(audio, at, level)):
            return at
    return None


def _level(audio: np.ndarray, at: int) -> float:
    """Level in dB of the 0.1 s from a tick on."""
    part = audio[at * TICK : (at + QUIET) * TICK]
    return float(decibels(np.square(part, dtype=np.float64).mean(keepdims=True))[0])


def _quietest(level: np.ndarray) -> int:
    """The first tick of the quietest 0.1 s. Levels are centred, so a window's level is that of its middle."""
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


def _goes_on(audio: np.ndarray, at: int, level: np.ndarray) -> bool:
    """Whether most of the energy of the 0.1 s from a tick on lies where the note, at its loudest, adds nothing."""
    starts = np.flatnonzero(level > level.max() - 10)[:: QUIET // 2] * TICK
    parts = [audio[start : start + QUIET * TICK] for start in (at * TICK, *starts)]
    window = np.hanning(QUIET * TICK + 2)[1:-1]
    noise, *note = [np.abs(np.fft.rfft(part * window)) ** 2 for part in parts if len(part) == len(window)]
    steady = np.mean(note, axis=0) < 4 * noise if note else np.zeros(len(noise), bool)
    return float(noise[steady].sum()) > 0.5 * float(noise.sum())


def _subtracted(audio: np.ndarray, at: int) -> np.ndarray:
    """The audio minus the noise in its 0.1 s from a tick on; silent until something else begins, and fading, more
    slowly than a released note, once nothing else is left."""
    window = torch.hann_window(FRAME)
    spectrum = torch.stft(torch.from_numpy(audio), FRAME, HOP, window=window, return_complex=True)
    power = spectrum.abs().square()
    quiet = slice((at * TICK + FRAME // 2) // HOP + 1, ((at + QUIET) * TICK - FRAME // 2) // HOP + 1)
    floor = power[:, quiet].mean(1, keepdim=True)
    smooth = torch.nn.functional.avg_pool1d(floor.T, 9, 1, 4, count_include_pad=False).T
    over = (power / smooth.clamp_min(1e-3 * float(floor.mean()) + 1e-20)).mean(0)  # white, whatever the noise's colour
    alone = over < RISES
    if alone.any():
        floor = power[:, alone].mean(1, keepdim=True)
    gain = (1 - 3 * floor / power.clamp_min(1e-20)).clamp_min(1e-3).sqrt()
    first, last = _first_run(~alone), alone.shape[0] - _first_run(~alone.flip(0))
    gain[:, : max(first - 1, 0)] = 0.0
    gain[:, last:] *= 10 ** (-FADE * HOP / SAMPLE_RATE / 20 * torch.arange(alone.shape[0] - last))
    return torch.istft(spectrum * gain, FRAME, HOP, window=window, length=len(audio)).numpy()


def _first_run(sounds: torch.Tensor) -> int:
    """The first frame from which SHORTEST seconds mostly sound; 0 if there is none."""
    length = round(SHORTEST * SAMPLE_RATE / HOP)
    ahead = np.convolve(sounds, np.full(length, 1 / length))[length - 1 :]
    begins = np.flatnonzero(sounds.numpy() & (ahead > 0.7))
    return int(begins[0]) if len(begins) else 0


# ---- more than one note ----------------------------------------------------------------------------------------------


def second_attack(audio: np.ndarray) -> int | None:
    """The sample at which the level jumps up again, later than 0.15 s after the onset (sample 0); None if it does not.
    Tremolo and beating, which jump less, or too often to be another note, do not count."""
    level = decibels(envelope(audio, TICK, 5))
    rise = np.array([level[j] - level[max(j - 10, 0) : j + 1].min() for j in range(len(level))])
    jumps = np.flatnonzero((rise > ATTACK) & (level > level.max(initial=-160.0) - 30))
    starts = [int(j) for j in jumps if j > 15 and j - 1 not in jumps]
    if not starts or len(starts) > 5:
        return None
    before = level[max(starts[0] - 10, 0) : starts[0] + 1]
    return (starts[0] - (len(before) - 1 - int(before.argmin()))) * TICK


# ---- pitch -----------------------------------------------------------------------------------------------------------


def _settled_pitch(
    sound: np.ndarray, name: str, said: float | None, hint: float | None, say: str
) -> tuple[float, tuple[str, ...]]:
    """The pitch, and a remark if the pitch heard differs from the one claimed, which is used nevertheless, unless only
    the pitch heard explains the sound."""
    claim = hint if said is None else said
    heard = heard_pitch(sound, name, claim, firm=said is not None)
    if claim is None:
        if heard is None:
            raise _no_pitch(sound, name, say)
        return heard, ()
    where = "its name says" if said is None else "given"
    if heard is not None and not explains(sound, claim) and explains(sound, heard):
        if said is not None:
            raise AntiphonError(f"{name} sounds like {note_name(heard)}, not {note_name(said)}: give the note it plays")
        return heard, (f"{name}: it sounds like {note_name(heard)}, which is used, not {note_name(claim)} as {where}",)
    octave = 0.0 if heard is None or said is not None else heard - claim
    if octave and abs(octave) == 12 and octave_told(sound, claim) == octave:
        found = note_name(claim + octave)
        return claim + octave, (f"{name}: it sounds like {found}, which is used, not {note_name(claim)} as {where}",)
    if not analysis.plausible_pitch(sound, claim):
        raise AntiphonError(f"nothing in {name} sounds at {note_name(claim)}, as {where}: give the note it plays")
    apart = 0.0 if heard is None else abs(heard - claim)
    if apart < 0.8 or (said is None and abs((apart + 6) % 12 - 6) < 0.8):  # a name decides doubtful octaves
        return claim, ()
    return claim, (f"{name}: {note_name(claim)} is used as {where}, though it sounds like {note_name(heard or 0)}",)


def _no_pitch(sound: np.ndarray, name: str, say: str) -> AntiphonError:
    """Why no pitch can be heard: a second tone, or, if partials crowd as in a deep vibrato, nothing steady."""
    partials = partials_that_stand_out(sound)
    crowded = len(partials) and (partials < partials[0] + 2).sum() > 2
    other = chord_tone(sound, partials[0]) if len(partials) and not crowded else None
    if other is not None:
        return _at_once(name, round(partials[0]), other, f", or {say}")
    return AntiphonError(f"no steady pitch can be heard in {name}: {say}")


__all__ = ["OneNote", "chord_tone", "octave_of", "one_note", "second_attack", "without_noise"]
