"""What each condition contributes to a sound: what is different because of its label, its style words, its w, its
pitch, its velocity and its hold, beside the voice's typical sound.

Each coalition of conditions is played: those inside are the sound's, the others the typical sound's. A w is a departure
from the typical w of a label and style (`Imagines.difference`), so that one can change and the other stay."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.metrics.shapley import coalitions, shapley
from antiphon.voices.capabilities import Encodes
from antiphon.voices.expression import common_pitch

CAUSES = ("label", "style", "w", "pitch", "velocity", "hold")
BANDS = (63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)  # Hz, the middles of octaves
STRETCHES = ((0.0, 0.1), (0.1, 0.6), (0.6, 2.0))  # seconds
FLOOR = 1e-9  # of a power: -90 dB
TYPICAL_VELOCITY, TYPICAL_SECONDS = 80.0, 1.0


@dataclass(frozen=True)
class Sound:
    """A note and its style vector, (style,)."""

    note: Note
    w: Tensor


@dataclass(frozen=True)
class Contributions:
    """typical: the sound to compare with. places: what was measured: all, bands and stretches of time, by name.
    before, after: (places,) dB of the typical sound and of the sound; shares: (causes, places) dB, which sum to their
    difference."""

    typical: Sound
    places: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray
    shares: np.ndarray

    @property
    def missing(self) -> float:
        """By how much the shares miss the difference, at most, as a share of the largest."""
        off = np.abs(self.shares.sum(0) - (self.after - self.before)).max()
        return float(off / max(np.abs(self.after - self.before).max(), 1e-9))


def typical_w(voice: Any, label: str, style: Sequence[str] = ()) -> Tensor:
    """(style,) of a label's typical sound."""
    return voice.typical(label, tuple(style)) if isinstance(voice, Encodes) else voice.imagine(label, style, 0, 0.0)


def most_typical(voice: Any) -> str:
    """The label whose typical w is nearest to all the others'."""
    ws = torch.stack([typical_w(voice, label) for label in voice.instruments])
    label: str = voice.instruments[int(torch.cdist(ws, ws).sum(1).argmin())]
    return label


def own_style(voice: Any, note: Note) -> tuple[str, ...]:
    """The style words of a note: those asked for, or those that its seed draws."""
    rng = np.random.default_rng((zlib.crc32(str(note.instrument).encode()), note.seed & 0xFFFFFFFF))
    words: tuple[str, ...] = tuple(note.style) or voice.draw_style(note.instrument, rng)
    return words


def common_style(voice: Any, label: str) -> tuple[str, ...]:
    """The style words with which a label was met most often."""
    return max(voice.info.styles_of.get(label, []), key=lambda met: met[1], default=((), 0))[0]


def contributions(voice: Any, sound: Sound) -> Contributions:
    """What each of CAUSES contributes, in dB: 64 coalitions are played."""
    rest = most_typical(voice)
    usual = Note(common_pitch(voice, (rest,)), TYPICAL_SECONDS, TYPICAL_VELOCITY, rest, common_style(voice, rest))
    if not voice.pitched:
        usual = replace(usual, pitch=60.0)
    away = _Departures(voice, sound, usual)
    sets = coalitions(len(CAUSES))
    played = [away(frozenset(CAUSES[i] for i in some)) for some in sets]
    heard = voice.notes([s.note for s in played], w=torch.stack([s.w for s in played]))
    levels = {some: levels_of(audio) for some, audio in zip(sets, heard, strict=True)}
    shares = shapley(levels, len(CAUSES))
    return Contributions(played[0], places(), levels[sets[0]], levels[sets[-1]], shares)


@dataclass(frozen=True)
class _Departures:
    voice: Any
    sound: Sound
    usual: Note

    def __call__(self, inside: frozenset[str]) -> Sound:
        """The sound of a coalition."""
        own, usual = self.sound.note, self.usual
        label = own.instrument if "label" in inside else usual.instrument
        words = own_style(self.voice, own) if "style" in inside else usual.style
        note = Note(
            own.pitch if "pitch" in inside else usual.pitch,
            own.seconds if "hold" in inside else usual.seconds,
            own.velocity if "velocity" in inside else usual.velocity,
            label,
            take=own.take,
            seed=own.seed,
        )
        return Sound(note, self._w(str(label), words, inside))

    def _w(self, label: str, words: Sequence[str], inside: frozenset[str]) -> Tensor:
        if {"label", "style", "w"} <= inside:
            return self.sound.w
        base = typical_w(self.voice, label, words)
        if "w" not in inside:
            return base
        own = self.sound.note
        home = typical_w(self.voice, str(own.instrument), own_style(self.voice, own))
        moved: Tensor = self.voice.stepped(base, self.voice.difference(home, self.sound.w))
        return moved


def places() -> tuple[str, ...]:
    """Names of what `levels_of` measures."""
    bands = [f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz" for hz in BANDS]
    return ("all", *bands, *(f"{start:g} to {stop:g} s" for start, stop in STRETCHES))


def levels_of(audio: np.ndarray) -> np.ndarray:
    """(places,) dB of a sound's first two seconds: of all, of octave bands, and of stretches of time."""
    length = round(STRETCHES[-1][1] * SAMPLE_RATE)
    sound = np.zeros(length)
    part = np.asarray(audio, np.float64).reshape(len(audio), -1).mean(1)[:length]
    sound[: len(part)] = part
    power = np.abs(np.fft.rfft(sound)) ** 2 * 2 / length**2
    hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    edges = [(middle / 2**0.5, middle * 2**0.5) for middle in BANDS]
    found = [np.square(sound).mean(), *(power[(hz >= low) & (hz < high)].sum() for low, high in edges)]
    cuts = [slice(round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in STRETCHES]
    levels: np.ndarray = 10 * np.log10(np.array(found + [np.square(sound[cut]).mean() for cut in cuts]) + FLOOR)
    return levels
