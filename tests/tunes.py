"""Shared by tests of songs: small MIDI files, a voice whose every sample is known, and ways to listen."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mido import Message, MidiFile, MidiTrack

from antiphon.core.errors import AntiphonError
from antiphon.music.casting import cast
from antiphon.music.midi import read_midi
from antiphon.music.player import HEADROOM, MIX, stream
from antiphon.music.song import Song

RATE = 44100
FULL = HEADROOM * 100**2 / 127**2  # amplitude of velocity 127 at the default volume of 100, before the pan


# ---- writing: 480 ticks are half a second ----------------------------------------------------------------------------


def on(note=69, time=0, velocity=127, channel=0):
    return Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note=69, time=0, channel=0):
    return Message("note_off", note=note, time=time, channel=channel)


def note(note=69, time=480, channel=0, velocity=127):
    """A note, and its end `time` ticks later."""
    return [on(note, 0, velocity, channel), off(note, time, channel)]


def cc(control, value, time=0, channel=0):
    return Message("control_change", control=control, value=value, time=time, channel=channel)


def program(number, time=0, channel=0):
    return Message("program_change", program=number, time=time, channel=channel)


def wheel(pitch, time=0, channel=0):
    return Message("pitchwheel", pitch=pitch, time=time, channel=channel)


def rpn(number, coarse, fine=None):
    """A registered parameter set by data entry, then deselected."""
    entry = [cc(101, 0), cc(100, number), cc(6, coarse)] + ([] if fine is None else [cc(38, fine)])
    return [*entry, cc(101, 127), cc(100, 127)]


def save(path: Path, *tracks, kind=1, ticks=480) -> Path:
    MidiFile(type=kind, ticks_per_beat=ticks, tracks=[MidiTrack(track) for track in tracks]).save(path)
    return path


def raw(path: Path, *bodies: bytes, kind=1, division=480) -> Path:
    """A file of the given track chunks."""
    header = struct.pack(">4sLHHH", b"MThd", 6, kind, len(bodies), division)
    path.write_bytes(header + b"".join(struct.pack(">4sL", b"MTrk", len(body)) + body for body in bodies))
    return path


# ---- playing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Character:
    """A name and a style vector of one number that stay as they are."""

    name: str
    number: float

    def label(self, seconds=0.0):
        return self.name

    def w(self, seconds=0.0):
        return np.array([self.number])

    def shaping(self, seconds=0.0):
        return ()


def casting(expression, seed):
    """Programs sound by their number, and "sine" as program 0."""
    if isinstance(expression, str) and expression != "sine":
        raise AntiphonError(f"no instrument named {expression!r}")
    number = 0 if expression == "sine" else expression
    return Character(f"program {number}", number / 127)


class SineVoice:
    """A cosine at the note's pitch and bend, amplitude velocity / 127, and an octave above another, w[0] as loud; the
    release lasts `release` s. No randomness. As parts, the octave is the noise."""

    sample_rate = RATE

    def __init__(self, release: float = 0.0):
        self.release = release
        self.asked = []

    def notes(self, notes, w=None, *, parts=False):
        self.asked.append(list(notes))
        return [self.note(n, 0.0 if w is None else w[i, 0], parts) for i, n in enumerate(notes)]

    def note(self, note, octave=0.0, parts=False):
        seconds = np.arange(round((note.seconds + self.release) * RATE)) / RATE
        if len(note.bend) > 1:
            bend = np.interp(seconds, *np.array(note.bend).T)
            cycles = np.cumsum(440 * 2 ** ((note.pitch + bend - 69) / 12)) / RATE
            cycles -= cycles[:1]
        else:
            cycles = seconds * (440 * 2 ** ((note.pitch + sum(s for _, s in note.bend) - 69) / 12))
        wave = [np.cos(2 * np.pi * cycles), octave * np.cos(4 * np.pi * cycles) if octave else 0 * cycles]
        size = note.velocity / 127
        if self.release:
            size = size * np.minimum(1, (note.seconds + self.release - seconds) / self.release)
        wave = [(size * each).astype(np.float32) for each in wave]
        return np.stack(wave, 1) if parts else wave[0] + wave[1] if octave else wave[0]


def band(song: Song, **how):
    return cast(song, casting, **how)


def mixed(song: Song, voice=None, **options) -> np.ndarray:
    """The mix before the master, (samples, 2)."""
    return np.concatenate([block[MIX] for block in stream(band(song), voice or SineVoice(), **options)])


def heard(path: Path, voice=None) -> np.ndarray:
    return mixed(read_midi(path), voice)


# ---- listening -------------------------------------------------------------------------------------------------------


def cut(sound: np.ndarray, start: float, stop: float) -> np.ndarray:
    """What sounds between two times, both channels added."""
    part = sound[round(start * RATE) : round(stop * RATE)]
    return part if part.ndim == 1 else part.sum(axis=1)


def pitch(sound: np.ndarray, start: float, stop: float) -> float:
    """MIDI pitch of the strongest tone between two times, to a few cents."""
    part = cut(sound, start, stop)
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 19))
    return 69 + 12 * np.log2(np.argmax(spectrum) * RATE / (1 << 19) / 440)


def tone(sound: np.ndarray, midi: float, start: float, stop: float) -> float:
    """Amplitude of one tone between two times, of the channels' sum."""
    part = cut(sound, start, stop)
    at = np.arange(len(part)) / RATE
    window = np.hanning(len(part))
    wave = np.exp(-2j * np.pi * 440 * 2 ** ((midi - 69) / 12) * at)
    return float(2 * np.abs((part * window * wave).sum()) / window.sum())


def level(sound: np.ndarray, start: float, stop: float) -> np.ndarray:
    """RMS amplitude of each channel between two times, times the square root of 2: the amplitude of a sine."""
    part = sound[round(start * RATE) : round(stop * RATE)]
    return np.sqrt(2 * np.mean(np.square(part, dtype=np.float64), axis=0))


def sounding(sound: np.ndarray, floor: float = 1e-4) -> list[tuple[float, float]]:
    """(start, stop) in seconds of the stretches louder than `floor`, gaps under 2 ms closed."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > floor)
    if not len(loud):
        return []
    gaps = np.flatnonzero(np.diff(loud) > 0.002 * RATE)
    starts, stops = np.append(loud[0], loud[gaps + 1]), np.append(loud[gaps], loud[-1])
    return [(a / RATE, (b + 1) / RATE) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]


def instantaneous(sound: np.ndarray) -> np.ndarray:
    """MIDI pitch of a single tone at every sample, by the analytic signal, averaged over 5 ms."""
    from scipy.signal import hilbert

    hertz = np.diff(np.unwrap(np.angle(hilbert(sound.sum(axis=1).astype(np.float64))))) * RATE / (2 * np.pi)
    hertz = np.convolve(hertz, np.ones(221) / 221, "same")
    return 69 + 12 * np.log2(np.maximum(hertz, 1) / 440)
