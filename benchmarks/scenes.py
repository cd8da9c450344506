"""How good are imagined scenes? Clips of them against clips of recordings that nobody trained on.

    antiphon train places -o runs/places --recipe scene
    python benchmarks/scenes.py runs/places --prepared runs/places/prepared.safetensors
    python benchmarks/scenes.py ambience --prepared places.safetensors --only loops speed controls

Another GAN beside it, one of short sounds, taught with pieces of the same recordings:

    python benchmarks/scenes.py ambience --prepared places.safetensors --pieces out/pieces
    antiphon train out/pieces -o runs/dcgan --recipe dcgan --set pitch=no --set transposed=0 --minutes 12
    python benchmarks/scenes.py ambience --prepared places.safetensors --beside runs/dcgan

distances  Frechet (FAD) and kernel distance (KAD), precision and coverage, and the label of the nearest clip, in an
           embedding (aiSFX), against clips of held-out recordings. Beside the voice: clips of training recordings
           (the floor), random grains of one of them and a cross-faded loop (which copy), the voice before its first
           step. `heard`: not imagined, but heard in another held-out stretch. A voice of short sounds beside it gives
           grains, each another of its sounds.
copies     share of clips a stretch of which (0.2 s) correlates by more than 0.8 with one of a training recording
textures   statistics of texture, which voices are trained on: how far a label's means are from those of held-out clips,
           in units of their spread from label to label, beside training recordings
pulse      rate and regularity of what ticks, as played, beside the recording it was heard in
coherence  of left and right, band by band, beside the recording's
loops      where the jump at the join lies among all jumps of a loop, from 0 to 1: even in between if nothing is there
repeats    the highest peak of the envelope's self-likeness beyond 1.5 s, imagined and in the longest recording
like       whether half of a recording never heard is nearer to what it was imagined like than to the nearest label
controls   rank correlation of each control with what it names, measured
speed      seconds of stereo a processor second, beside a matrix product
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import torch

from antiphon.audio.files import write_audio
from antiphon.audio.mel import mel_power
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.pulse import find_pulse, self_likeness
from antiphon.data.scenes import Scenes
from antiphon.metrics.embeddings import EMBEDDINGS, Embedding, load_embedding
from antiphon.metrics.frechet import frechet_distance
from antiphon.metrics.kernel import kernel_distance
from antiphon.metrics.neighbours import nearest
from antiphon.metrics.networks.weights import default_cache
from antiphon.metrics.prdc import prdc
from antiphon.networks.texture import DESCRIPTORS, TextureView, descriptors, statistics
from antiphon.voices.capabilities import ImaginesScenes, PlaysNotes
from antiphon.voices.find import load

SECONDS = 2.7  # of a clip
CLIP = round(SECONDS * SAMPLE_RATE)
HEARD = 10 * SAMPLE_RATE  # samples of a recording
COPIED, STRETCH, SLOW = 0.8, 0.2, 11_025  # correlation, seconds, and the sample rate at which it is taken
REDRAWN = 200  # samples of the bootstrap
REGULAR = 0.4  # strength of a pulse that is asked for again
CELL = 2048  # samples of a frame of a loop


@dataclass(frozen=True)
class Bench:
    """What every section needs. rng: of which clips are chosen."""

    voice: ImaginesScenes
    data: Scenes
    embedding: Embedding
    labels: list[int]
    count: int
    rng: np.random.Generator
    beside: PlaysNotes | None = None

    def recordings(self, split: str, label: int) -> list[int]:
        return [i for i in self.data.where(split).tolist() if int(self.data.instrument[i]) == label]

    def name(self, label: int) -> str:
        return self.data.labels.instruments[label]

    def play(self, place: Any, seconds: float, seed: int, **how: Any) -> np.ndarray:
        """(samples, 2)"""
        stream = self.voice.scene(((0.0, place),), seconds=seconds, seed=seed, **how)
        return stream.read(round(seconds * SAMPLE_RATE))


def stereo(both: np.ndarray) -> np.ndarray:
    """(2, samples) mid and side -> (samples, 2)"""
    return np.stack([both[0] + both[1], both[0] - both[1]], 1)


def level(clip: np.ndarray) -> np.ndarray:
    """(samples,) at the level of all recordings: no clip may be told by it."""
    return clip * np.float32(0.1 / max(float(np.sqrt(np.mean(np.square(clip, dtype=np.float64)))), 1e-6))


# ---- rows of clips ---------------------------------------------------------------------------------------------------


def piece(b: Bench, i: int, seconds: float) -> np.ndarray:
    """(samples,) of mid, somewhere in recording i, which is repeated if it is shorter."""
    wanted, length = round(seconds * SAMPLE_RATE), b.data.samples(i)
    start = int(b.rng.integers(max(length - wanted, 0) + 1))
    sound = b.data.audio(i, start, min(start + wanted, length))[0]
    return np.tile(sound, -(-wanted // len(sound)))[:wanted]


def of_recordings(b: Bench, split: str, label: int) -> list[np.ndarray]:
    """Clips spread over the recordings of a label."""
    own = b.recordings(split, label)
    return [piece(b, own[k % len(own)], SECONDS) for k in range(b.count)]


def grains(b: Bench, label: int) -> list[np.ndarray]:
    """Grains of 0.5 to 1.5 s of one training recording each, half overlapped (Frojd & Horner 2007)."""
    clips, own = [], b.recordings("train", label)
    for k in range(b.count):
        out, at = np.zeros(2 * CLIP, np.float32), 0
        while at < CLIP:
            grain = piece(b, own[k % len(own)], float(b.rng.uniform(0.5, 1.5)))
            out[at : at + len(grain)] += grain * np.sin(np.pi * (np.arange(len(grain)) + 0.5) / len(grain))
            at += len(grain) // 2
        clips.append(out[:CLIP])
    return clips


def of_short_sounds(b: Bench, label: int, voice: PlaysNotes) -> list[np.ndarray]:
    """Grains as long as the sounds of another GAN, half overlapped, each another of its sounds."""
    clips = []
    for k in range(b.count):
        out, at = np.zeros(2 * CLIP, np.float32), 0
        while at < CLIP:
            sound = voice.note(instrument=b.name(label), seed=1000 * k + at)
            out[at : at + len(sound)] += sound * np.sin(np.pi * (np.arange(len(sound)) + 0.5) / len(sound))
            at += len(sound) // 2
        clips.append(out[:CLIP])
    return clips


def write_pieces(data: Scenes, folder: Path, seconds: float = 0.75) -> None:
    """The training recordings, cut into pieces, a folder for each label."""
    size = round(seconds * SAMPLE_RATE)
    for i in data.where("train").tolist():
        home = folder / data.labels.instruments[int(data.instrument[i])]
        home.mkdir(parents=True, exist_ok=True)
        for start in range(0, data.samples(i) - size, size):
            piece = data.audio(i, start, start + size)[0]
            write_audio(home / f"recording-{i}-at-{start}.wav", level(piece))


def cross_faded(b: Bench, label: int) -> list[np.ndarray]:
    """One second of a training recording, again and again, cross-faded over a tenth."""
    clips, own, fade = [], b.recordings("train", label), SAMPLE_RATE // 10
    rise = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
    for k in range(b.count):
        cut = piece(b, own[k % len(own)], 1.1)[: SAMPLE_RATE + fade].copy()
        cut[:fade] = cut[:fade] * rise + cut[-fade:] * rise[::-1]
        clips.append(np.tile(cut[:SAMPLE_RATE], 4)[:CLIP])
    return clips


def imagined(b: Bench, label: int, voice: ImaginesScenes) -> list[np.ndarray]:
    place = {b.name(label): 1.0}
    return [voice.scene(((0.0, place),), seconds=SECONDS, seed=1000 + k).read(CLIP).mean(1) for k in range(b.count)]


def heard(b: Bench, label: int) -> list[np.ndarray]:
    own = b.recordings("valid", label)
    places = [
        b.voice.hear(stereo(b.data.audio(i, 0, min(b.data.samples(i), HEARD))), SAMPLE_RATE) for i in own[: b.count]
    ]
    return [b.play(places[k % len(places)], SECONDS, k).mean(1) for k in range(b.count)]


def distances(b: Bench) -> dict[str, Any]:
    fresh = b.voice.untrained()
    rows: dict[str, Callable[[int], list[np.ndarray]]] = {
        "held out": lambda label: of_recordings(b, "valid", label),
        "training recordings": lambda label: of_recordings(b, "train", label),
        "grains": lambda label: grains(b, label),
        "cross-faded loop": lambda label: cross_faded(b, label),
        "untrained": lambda label: imagined(b, label, fresh),
        "imagined": lambda label: imagined(b, label, b.voice),
        "heard": lambda label: heard(b, label),
    }
    if (other := b.beside) is not None:
        rows["beside"] = lambda label: of_short_sounds(b, label, other)
    owner = np.repeat(b.labels, b.count)
    points = {}
    for name, make in rows.items():
        clips = [level(c) for label in b.labels for c in make(label)]
        points[name] = b.embedding(clips)
    real, found = points.pop("held out"), {}
    for name, own in points.items():
        found[name] = compared(own, real, owner)
        by_label = {b.name(k): float(np.mean(owner[nearest(own[owner == k], real)[1]] == k)) for k in b.labels}
        found[name]["by label"] = {label: round(share, 2) for label, share in by_label.items()}
    return found


def compared(own: np.ndarray, real: np.ndarray, owner: np.ndarray) -> dict[str, Any]:
    right = (owner[nearest(own, real)[1]] == owner).astype(float)
    rng, chosen = np.random.default_rng(0), []
    for _ in range(REDRAWN // 10):
        rows = rng.integers(len(own), size=len(own))
        chosen.append(frechet_distance(own[rows], real[rng.integers(len(real), size=len(real))]))
    shares = [right[rng.integers(len(right), size=len(right))].mean() for _ in range(REDRAWN)]
    more = prdc(real, own)
    return {
        "frechet": round(frechet_distance(own, real), 1),
        "frechet sd": round(float(np.std(chosen)), 1),
        "kernel": round(kernel_distance(own, real), 2),
        "precision": round(more["precision"], 2),
        "coverage": round(more["coverage"], 2),
        "label": round(float(right.mean()), 3),
        "label 95 %": [round(float(q), 3) for q in np.quantile(shares, (0.025, 0.975))],
    }


def copies(b: Bench, tried: int = 2) -> dict[str, float]:
    """The share of clips, of a few of each label, in which a stretch is one of a training recording."""
    rows = {"grains": grains, "cross-faded loop": cross_faded, "imagined": lambda b, k: imagined(b, k, b.voice)}
    few, hits = replace(b, count=tried), {name: list[bool]() for name in rows}
    for label in b.labels:
        sounds = [b.data.audio(i, 0, min(b.data.samples(i), 60 * SAMPLE_RATE))[0] for i in b.recordings("train", label)]
        line = np.concatenate([slower(sound) for sound in sounds])
        size = 1 << int(np.ceil(np.log2(len(line))))
        spectrum = scipy.fft.rfft(line, size)
        energy = np.convolve(line**2, np.ones(round(STRETCH * SLOW), np.float32), "valid")
        for name, make in rows.items():
            hits[name] += [likest(slower(clip), spectrum, energy, size) > COPIED for clip in make(few, label)]
    return {name: round(float(np.mean(found)), 3) for name, found in hits.items()}


def slower(sound: np.ndarray) -> np.ndarray:
    import soxr

    return soxr.resample(sound, SAMPLE_RATE, SLOW, quality="LQ").astype(np.float32)


def likest(clip: np.ndarray, spectrum: np.ndarray, energy: np.ndarray, size: int) -> float:
    """The highest correlation of two stretches of a clip with any of a line, given its spectrum and energy."""
    best, long = 0.0, round(STRETCH * SLOW)
    for start in (len(clip) // 4, len(clip) // 2):
        cut = clip[start : start + long]
        found = scipy.fft.irfft(spectrum * np.conj(scipy.fft.rfft(cut, size)), size)[: len(energy)]
        scale = np.sqrt(np.maximum(energy, 1e-6 * energy.max()) * float((cut**2).sum()) + 1e-12)
        best = max(best, float(np.abs(found / scale).max()))
    return best


def textures(b: Bench) -> dict[str, Any]:
    view = TextureView()

    @torch.inference_mode()
    def means(clips: list[np.ndarray]) -> dict[str, np.ndarray]:
        both = np.stack([np.stack([level(c), np.zeros(CLIP, np.float32)]) for c in clips]).astype(np.float32)
        return {name: x.mean(0).numpy() for name, x in statistics(view(torch.from_numpy(both))).items()}

    rows = {
        "imagined": lambda k: imagined(b, k, b.voice),
        "training recordings": lambda k: of_recordings(b, "train", k),
    }
    real = {k: means(of_recordings(b, "valid", k)) for k in b.labels}
    names = [name for name in real[b.labels[0]] if not name.startswith("side")]  # clips are mono
    spread = {name: np.std([real[k][name] for k in b.labels], 0) + 0.05 for name in names}
    found = {}
    for row, make in rows.items():
        own = {k: means(make(k)) for k in b.labels}
        apart = {k: [np.mean(np.abs(own[k][n] - real[k][n]) / spread[n]) for n in names] for k in b.labels}
        found[row] = {
            "by label": {b.name(k): round(float(np.mean(apart[k])), 2) for k in b.labels},
            "by statistic": {n: round(float(np.mean([apart[k][i] for k in b.labels])), 2) for i, n in enumerate(names)},
        }
    return found


# ---- what places have ------------------------------------------------------------------------------------------------


def pulses(b: Bench) -> dict[str, Any]:
    rows = []
    for split in ("valid", "train"):
        for i in b.data.where(split).tolist():
            rate, strength = (float(x) for x in b.data.pulse[i])
            if strength < REGULAR or (split == "train" and len([r for r in rows if r["split"] == split]) >= 12):
                continue
            place = b.voice.hear(stereo(b.data.audio(i, 0, min(b.data.samples(i), HEARD))), SAMPLE_RATE)
            again = find_pulse(b.play(place, 10, 1).mean(1))
            rows.append({"label": b.name(int(b.data.instrument[i])), "split": split, "rate": round(rate, 2),
                         "strength": round(strength, 2), "played": round(again.rate, 2),
                         "regular": round(again.strength, 2)})  # fmt: skip
    within = {split: [abs(np.log(r["played"] / r["rate"])) < 0.05 for r in rows if r["split"] == split]
              for split in ("valid", "train")}  # fmt: skip
    shares = {split: round(float(np.mean(hits)), 2) if hits else None for split, hits in within.items()}
    return {"within 5 %": shares, "rows": rows}


def coherence(sound: np.ndarray, bands: int = 24) -> np.ndarray:
    """(bands,) of (samples, 2): |mean of L R*| over the root of the mean powers, in bands of equal mel width."""
    size = 1024
    frames = np.lib.stride_tricks.sliding_window_view(sound, size, 0)[:: size // 2] * np.hanning(size)
    left, right = np.fft.rfft(frames[:, 0]), np.fft.rfft(frames[:, 1])
    from antiphon.audio.mel import mel_bands

    filters = mel_bands(SAMPLE_RATE, size, bands)
    cross = np.abs(filters @ (left * right.conj()).mean(0))
    return cross / np.sqrt((filters @ (np.abs(left) ** 2).mean(0)) * (filters @ (np.abs(right) ** 2).mean(0)) + 1e-20)


def coherences(b: Bench) -> dict[str, Any]:
    apart: dict[str, float] = {}
    for i in range(len(b.data)):
        name = b.name(int(b.data.instrument[i]))
        if int(b.data.channels[i]) == 2 and name not in apart:
            real = stereo(b.data.audio(i, 0, min(b.data.samples(i), 20 * SAMPLE_RATE)))
            made = b.play(b.voice.hear(real, SAMPLE_RATE), 10, 1)
            apart[name] = round(float(np.abs(coherence(real) - coherence(made)).mean()), 3)
    within = float(np.mean([x < 0.15 for x in apart.values()]))
    return {
        "mean difference": round(float(np.mean(list(apart.values()))), 3),
        "labels within 0.15": within,
        "by label": apart,
    }


def loops(b: Bench, count: int) -> dict[str, Any]:
    """Jumps from one frame to the next, around the circle; the join's place among them."""
    places = {"loop": [], "cross-faded": [], "cut": []}
    for k in range(count):
        seconds = float(np.exp(b.rng.uniform(np.log(2), np.log(60 if k % 10 == 0 else 12))))
        place = {b.name(int(b.rng.choice(b.labels))): 1.0}
        loop = b.play(place, seconds, k, loop=True).mean(1)
        plain = b.play(place, seconds + 0.1, k).mean(1)
        fade = SAMPLE_RATE // 10
        rise = np.sqrt(np.linspace(0, 1, fade, dtype=np.float32))
        faded = plain[: len(plain) - fade].copy()
        faded[:fade] = faded[:fade] * rise + plain[-fade:] * rise[::-1]
        for name, sound in (("loop", loop), ("cross-faded", faded), ("cut", plain[: len(loop)])):
            places[name].append(join(sound))
    return {
        name: {"mean place": round(float(np.mean(x)), 3), "below 0.9": round(float(np.mean(np.array(x) < 0.9)), 3)}
        for name, x in places.items()
    }


def join(sound: np.ndarray) -> float:
    """Where the jump at the join lies among those inside: the mean of the ranks of log-mel frames' distance and of the
    slope from one sample to the next."""
    count = len(sound) // CELL
    around = np.concatenate([sound[-4 * CELL :], sound[: count * CELL], sound[: 4 * CELL]])
    seams = 4 * CELL + np.arange(0, count * CELL, CELL // 4)
    before = np.stack([around[s - CELL : s] for s in seams])
    after = np.stack([around[s : s + CELL] for s in seams])
    window = np.hanning(CELL)
    spectra = [np.log(np.abs(np.fft.rfft(x * window)) ** 2 @ _bands().T + 1e-9) for x in (before, after)]
    jump = np.abs(spectra[0] - spectra[1]).mean(1)
    step = np.abs(np.diff(sound))
    edge = abs(float(sound[0] - sound[-1]))
    return float((np.mean(jump[1:] < jump[0]) + np.mean(step < edge)) / 2)


def _bands() -> np.ndarray:
    from antiphon.audio.mel import mel_bands

    return mel_bands(SAMPLE_RATE, CELL, 40)


def repeats(b: Bench, minutes: float) -> dict[str, Any]:
    found = {}
    for label in b.labels:
        longest = max(range(len(b.data)), key=lambda i: b.data.samples(i) * (int(b.data.instrument[i]) == label))
        real, made = b.data.audio(longest)[0], b.play({b.name(label): 1.0}, 60 * minutes, 3).mean(1)
        found[b.name(label)] = [round(_highest(x), 3) for x in (made, real)]
    return {"imagined, recorded": found}


def _highest(sound: np.ndarray) -> float:
    x = np.log(mel_power(sound, SAMPLE_RATE, 2048, 2048, 24) + 1e-8).mean(1)
    x = x - np.convolve(np.pad(x, 40, "edge"), np.ones(81) / 81, "valid")
    first, last = int(1.5 * SAMPLE_RATE / 2048), len(x) // 2
    return float(self_likeness(x, last)[first:].max()) if last > 2 * first else float("nan")


def likes(b: Bench) -> dict[str, Any]:
    """Half of each held-out recording is heard; the other is what it should be near."""
    typical = b.embedding([level(b.play({b.name(k): 1.0}, SECONDS, s).mean(1)) for k in b.labels for s in range(4)])
    won, labels = [], []
    for i in b.data.where("valid").tolist():
        half = b.data.samples(i) // 2
        if half < SAMPLE_RATE:
            continue
        place = b.voice.hear(stereo(b.data.audio(i, 0, half)), SAMPLE_RATE)
        mine = b.embedding([level(b.play(place, SECONDS, s).mean(1)) for s in range(4)])
        other = b.embedding([level(np.resize(b.data.audio(i, half)[0], CLIP))])
        ours = float(np.linalg.norm(mine - other, axis=1).mean())
        theirs = np.linalg.norm(typical - other, axis=1).reshape(-1, 4).mean(1).min()
        won.append(ours < theirs)
        labels.append(b.name(int(b.data.instrument[i])))
    by = {
        name: round(float(np.mean([w for w, x in zip(won, labels, strict=True) if x == name])), 2)
        for name in set(labels)
    }
    return {"nearer than the nearest label": round(float(np.mean(won)), 3), "recordings": len(won), "by label": by}


def controls(b: Bench) -> dict[str, Any]:
    """Spearman's rank correlation over five values of each control: the mean of the labels, and the least."""
    view, found = TextureView(), {}
    values = (0.0, 0.25, 0.5, 0.75, 1.0)
    for k, name in enumerate(DESCRIPTORS):
        ranks = []
        for label in b.labels:
            measured = []
            for value in values:
                sound = b.play({b.name(label): 1.0}, 6, 5, **{name: value})
                both = torch.from_numpy(np.stack([sound.mean(1), (sound[:, 0] - sound[:, 1]) / 2])[None])
                with torch.inference_mode():
                    seen = view(both)
                    measured.append(float(descriptors(seen, statistics(seen))[0, k]))
            order = np.argsort(np.argsort(measured))
            ranks.append(float(np.corrcoef(order, np.arange(5))[0, 1]))
        found[name] = {"mean": round(float(np.mean(ranks)), 3), "least": round(min(ranks), 2)}
    return found


def speed(b: Bench, seconds: float) -> dict[str, Any]:
    found = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        stream = b.voice.scene(((0.0, {b.name(b.labels[0]): 1.0}),), seed=1)
        stream.read(3 * SAMPLE_RATE)
        began, used = time.perf_counter(), time.process_time()
        stream.read(round(seconds * SAMPLE_RATE))
        wall, processor = time.perf_counter() - began, time.process_time() - used
        a = torch.randn(1024, 1024)
        began = time.perf_counter()
        for _ in range(10):
            a @ a
        product = 10 * 2 * 1024**3 / (time.perf_counter() - began) / 1e9
        found[f"{threads} threads"] = {
            "times real time": round(seconds / wall, 1),
            "times real time a processor": round(seconds / processor, 1),
            "GFLOP/s of a product": round(product),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24, help="clips of each label")
    parser.add_argument("--loops", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=2.0, help="of the search for repeats")
    parser.add_argument("--embedding", choices=sorted(EMBEDDINGS), default="aisfx")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--beside", help="a voice of short sounds, taught with pieces of the same recordings")
    parser.add_argument("--pieces", type=Path, help="write these pieces into this folder, and nothing else")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--out", type=Path, help="a .json for the figures")
    args = parser.parse_args()
    data = Scenes(args.prepared)
    if args.pieces:
        return write_pieces(data, args.pieces)
    unheard = sorted({int(data.instrument[i]) for i in data.where("valid").tolist()})
    voice = load(args.voice).able(ImaginesScenes, "be measured")
    known = [k for k in unheard if data.labels.instruments[k] in voice.instruments]
    b = Bench(voice, data, load_embedding(args.embedding, args.cache), known, args.count, np.random.default_rng(1))
    if args.beside:
        b = replace(b, beside=load(args.beside).able(PlaysNotes, "be measured"))
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "distances": lambda: distances(b),
        "copies": lambda: copies(b),
        "textures": lambda: textures(b),
        "pulse": lambda: pulses(b),
        "coherence": lambda: coherences(b),
        "loops": lambda: loops(b, args.loops),
        "repeats": lambda: repeats(b, args.minutes),
        "like": lambda: likes(b),
        "controls": lambda: controls(b),
        "speed": lambda: speed(b, 60.0),
    }
    found = {}
    for name, section in sections.items():
        if not args.only or name in args.only:
            found[name] = section()
            print(json.dumps({name: found[name]}, indent=1), flush=True)
            if args.out:
                args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
