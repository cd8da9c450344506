"""A voice that imagines scenes without networks: every label is a sound that can be computed, so that what is made of
it can be measured."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from antiphon.core.errors import AntiphonError
from antiphon.voices.capabilities import ImaginesScenes
from antiphon.voices.voice import VoiceInfo

RATE = 44100
HZ = {"hum": 220, "beep": 1000, "dog": 800}  # of labels that are tones
LABELS = ("rain", "storm", "hum", "beep", "dog", "night crickets", "nothing")
NOISE = np.random.default_rng(0).standard_normal((1 << 17, 2)).astype(np.float32)

SECOND = np.arange(RATE) / RATE
TONES = {name: np.float32(0.2 * np.sin(2 * np.pi * hz * SECOND)) for name, hz in HZ.items()}


def of_label(label: str, at: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2): what a label sounds like at samples of a scene."""
    if label in ("rain", "storm", "night crickets"):
        level = {"rain": 0.05, "storm": 0.2, "night crickets": 0.01}[label]
        return level * NOISE[(at + 977 * seed + 13 * len(label)) % len(NOISE)]
    if label not in TONES:
        return np.zeros((len(at), 2), np.float32)
    tone = TONES[label][at % RATE]
    if label == "dog":  # 0.3 s in every 2, above a little noise
        tone = tone * (at % (2 * RATE) < 3 * (RATE // 10)) + 1e-5 * NOISE[at % len(NOISE), 0]
    return np.repeat(tone[:, None], 2, axis=1)


class FakeStream:
    def __init__(self, voice, sound, seed, seconds, loop, factor):
        self.times = np.array([time for time, _ in sound]) * RATE
        self.shares = np.array([voice.shares(place) for _, place in sound])
        self.length = None if seconds is None else round(seconds * RATE)
        self.seed, self.loop, self.at, self.factor = seed, loop, 0, factor

    def read(self, frames: int) -> np.ndarray:
        stop = self.at + frames if self.length is None else min(self.at + frames, self.length)
        at = np.arange(self.at, stop)
        self.at = stop
        found = np.zeros((len(at), 2), np.float32)
        for number, label in enumerate(LABELS):
            share = np.interp(at, self.times, self.shares[:, number])
            if share.any():
                found += share[:, None].astype(np.float32) * of_label(label, at, self.seed)
        return (self.factor * found).astype(np.float32)


class FakeScenes(ImaginesScenes):
    kind = "fake scenes"

    def __init__(self):
        labels = SimpleNamespace(instruments=LABELS, styles=(), scales=())
        super().__init__(torch.nn.Identity(), VoiceInfo(name="fake"))
        self.model.labels = labels
        self.asked: list[dict] = []

    def describe(self) -> str:
        return "scenes that can be computed"

    def shares(self, place) -> np.ndarray:
        if isinstance(place, np.ndarray):
            return place
        return np.array([place.get(label, 0.0) for label in LABELS]) / sum(place.values())

    def imagine(self, instrument, style=(), seed=0, variation=1.0):
        return torch.tensor(self.shares({instrument: 1.0}))

    def hear(self, audio, sample_rate):
        return self.shares({"hum": 1.0})

    def scene(self, sound, *, seed=0, seconds=None, loop=False, variation=1.0, density=None, brightness=None,
              motion=None, width=None):  # fmt: skip
        if seconds is not None and seconds > 1e6:
            raise AntiphonError("too long")
        self.asked.append({"sound": sound, "variation": variation, "density": density, "brightness": brightness,
                           "motion": motion, "width": width, "seed": seed})  # fmt: skip
        return FakeStream(self, sound, seed, seconds, loop, 1.0)
