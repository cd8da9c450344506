"""Plays one note with the graphs beside this file: python example.py INSTRUMENT PITCH FILE.wav [SECONDS]

The essence of a note of known length: partials with their levels between knots, and both kinds of noise. Left out are
copies of partials in ensembles, drift, and what makes a note stream.
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).parent
CONSTANTS = json.loads((HERE / "constants.json").read_text(encoding="utf-8"))
RATE, RING, FREE = CONSTANTS["sample_rate"], 2.0, 24


def run(graph, **inputs):
    """The outputs of a graph by name."""
    session = onnxruntime.InferenceSession(str(HERE / graph), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def mel(hz):
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def partials(pitch, tuned, curves):
    """(K,) frequencies in Hz, and (t, K) levels in nepers."""
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    k = np.arange(1, min(int(18_000 / f0), 256) + 1)
    b = tuned["stretch"][0]
    ratios = k * np.sqrt((1 + b * k * k) / (1 + b))
    ratios[:64] = tuned["ratios"][0, : len(k)]
    hz = f0 * np.concatenate([tuned["free"][0], ratios])
    bands = mel(CONSTANTS["envelope_hz"])
    level = np.stack([np.interp(mel(hz), bands, row) for row in curves["envelope"][0]])
    low = curves["harmonics"][0][:, : len(k)]
    level[:, :FREE] += curves["free"][0]
    level[:, FREE : FREE + low.shape[1]] += low
    level = -6 + 8 * np.tanh((level) / 8)  # between -14 and 2
    gains = np.concatenate([tuned["gains"][0], np.ones(len(k))]) * ((hz > 18) & (hz < 18_500))
    return hz, level + np.log(gains + 1e-7)


def noise(levels, knots, hz, window, samples, rng):
    """(samples,) white noise in bands of `levels`, (t, bands) nepers."""
    hop, out = window // 2, np.zeros(samples + 2 * window)
    shape, bins = np.sin(np.pi * (np.arange(window) + 0.5) / window), mel(np.arange(window // 2 + 1) * RATE / window)
    for at in range(0, samples, hop):
        bands = [np.interp(at, knots, column) for column in levels.T]
        white = rng.standard_normal((2, len(bins))) * np.sqrt(window / 2)
        gains = np.exp(np.interp(bins, mel(hz), bands))
        out[at : at + window] += shape * np.fft.irfft(gains * (white[0] + 1j * white[1]), window)
    return out[window // 2 : window // 2 + samples]


def note(instrument, pitch, seconds):
    """(samples,) the sound."""
    hold = round(seconds * RATE)
    held = [t for t in CONSTANTS["held_knots"] if t < hold]
    after = [hold + t for t in CONSTANTS["released_knots"] if t <= RING * RATE]
    knots = np.array([held + after], np.float32)
    rng, count = np.random.default_rng(0), knots.shape[1]
    who = {
        "w": np.array([CONSTANTS["styles"][instrument]], np.float32),
        "pitch": np.array([pitch], np.float32),
        "velocity": np.array([0.75], np.float32),
    }
    tuned = run("tuner.onnx", **who)
    moments = {
        "knots": knots,
        "release": np.array([[np.inf] * len(held) + [hold] * len(after)], np.float32),
        "waves": np.zeros((1, count, 6), np.float32),
        "bend": np.zeros((1, count), np.float32),
    }
    curves = run("trunk.onnx", **who, **moments)
    hz, level = partials(pitch, tuned, curves)
    samples = hold + round(RING * RATE)
    t, sound = np.arange(samples), np.zeros(samples)
    for k in np.flatnonzero(level.max(0) > level.max() - 8.5):
        gains = np.exp(np.interp(t, knots[0], level[:, k]))
        sound += gains * np.cos(2 * np.pi * (hz[k] / RATE * t + rng.random()))
    sound += noise(curves["noise"][0], knots[0], CONSTANTS["noise_hz"], 2048, samples, rng)
    struck = noise(curves["strike"][0][: len(held)], knots[0][: len(held)], CONSTANTS["strike_hz"], 256, 3584, rng)
    struck *= np.clip((3328 - np.arange(3584)) / 1194.67, 0, 1)
    sound[:3584] += struck[:samples]
    sound[:32] *= np.linspace(0, 1, 32)
    sound[-512:] *= np.linspace(1, 0, 512)
    return sound


def main():
    instrument, pitch, path = sys.argv[1:4]
    if instrument not in CONSTANTS["styles"]:
        sys.exit(f"no instrument named {instrument}: use one of {', '.join(CONSTANTS['styles'])}")
    sound = note(instrument, float(pitch), float(sys.argv[4]) if len(sys.argv) > 4 else 1.0)
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
