"""What repairs are worth: clean music that nobody trained on, damaged, and repaired in several ways.

    python benchmarks/repair.py work-data/repair-judge --voices repair rehearsal=runs/without --files 16

A row is a damage and its amount. For each way of repairing it the mean over the files of SI-SDR in dB (higher is
better; Le Roux 2019) and of the log-spectral distance (LSD, lower is better; of log10 power over a floor of -80 dB,
2048 samples), ± the 95 % margin by bootstrap over the files. `untouched` is what it was; `classical` what can be done
without training: a Wiener filter by minimum statistics, notches, a median de-clicker, cubic interpolation of what was
clipped, nothing for a band limit, a codec and a room. A voice repairs what it hears (`auto`); the last column says how
often it heard exactly what was wrong. With --told, in a column more, it is told what kind of damage it is, not how bad.
On clean music the figure is the level of the change beside the sound, in dB.

    python benchmarks/repair.py work-data/repair-judge --listen --files 30

only listens: how often the damage is the worst thing that is heard; how often its amount is right of those (a cut-off
within 10 % of where the sound became 3 dB softer, noise and hum within 3 dB); and what else is heard, in how many
files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import antiphon
from antiphon.audio.files import find_audio, read_audio
from antiphon.data.analysis.wear import Faults, Listener
from antiphon.data.damage.codec import through
from antiphon.data.damage.damage import Field, at_distance, inflict
from antiphon.data.damage.noise import recorded
from antiphon.metrics.bootstrap import mean_margin
from antiphon.metrics.plots.sheet import spectrogram_grid
from antiphon.verbs.repair import from_audio

RATE, WINDOW, HOP = 44100, 2048, 512
FLOOR = 1e-8  # of a bin's power, beside a full-scale sine's
ROWS: dict[str, dict[str, float]] = {
    "clean": {},
    **{f"noise {db} dB": {"noise": float(db)} for db in (0, 10, 20)},
    **{f"hum {db} dB": {"hum": float(db)} for db in (5, 20)},
    **{f"clicks {n}/s": {"clicks": float(n)} for n in (3, 30)},
    **{f"clipping {db} dB": {"clipping": float(db)} for db in (3, 7, 15)},
    **{f"cut off at {k} kHz": {"bandwidth": 1000.0 * k} for k in (4, 8, 11)},
    **{f"codec {k} kbit/s": {"codec": float(k)} for k in (12, 24, 48)},
    **{f"MP3 {k} kbit/s": {"codec": k / 2} for k in (76, 96)},
    "Opus 24 kbit/s": {"codec": 12.0},
    "Vorbis q0": {"codec": 65.0},
    **{f"reverberation {s} s": {"reverb": s} for s in (0.3, 0.7, 1.5)},
    "noise 15 dB + 8 kHz": {"noise": 15.0, "bandwidth": 8000.0},
    "noise 20 dB + hum 15 dB + clicks 10/s": {"noise": 20.0, "hum": 15.0, "clicks": 10.0},
    "room 0.5 s + noise 20 dB + codec 32": {"reverb": 0.5, "noise": 20.0, "codec": 32.0},
}
CODECS = {"MP3": "mp3", "Opus": "opus", "Vorbis": "vorbis"}  # rows that begin so; of the others chance chooses one
Way = Callable[[np.ndarray, Mapping[str, float]], np.ndarray]


# ---- measures --------------------------------------------------------------------------------------------------------


def si_sdr(made: np.ndarray, clean: np.ndarray) -> float:
    """dB."""
    share = float((made * clean).sum() / max((clean * clean).sum(), 1e-12))
    error = made - share * clean
    return 10 * float(np.log10(max(share**2 * (clean**2).sum(), 1e-12) / max((error**2).sum(), 1e-12)))


def powers(sound: np.ndarray) -> np.ndarray:
    """(frames, bins), mean over the channels, 1 for a full-scale sine."""
    window = np.hanning(WINDOW + 1)[:-1] * (4 / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=0)[::HOP]
    return np.square(np.abs(np.fft.rfft(frames * window, axis=-1))).mean(1)


def lsd(made: np.ndarray, clean: np.ndarray) -> float:
    """Root mean square over bins of the difference of log10 power, mean over frames."""
    a, b = (np.log10(powers(x) + FLOOR) for x in (made, clean))
    return float(np.sqrt(np.square(a - b).mean(1)).mean())


def change(made: np.ndarray, clean: np.ndarray) -> float:
    """dB of what was changed, beside the sound."""
    return 10 * float(np.log10(max(np.square(made - clean).sum(), 1e-20) / np.square(clean).sum()))


# ---- without training ------------------------------------------------------------------------------------------------


def untouched(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
    return sound


def classical(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
    """Told what the damage is."""
    for name, way in (("clicks", unclicked), ("clipping", interpolated), ("hum", notched), ("noise", wiener)):
        if name in amounts:
            sound = np.stack([way(side) for side in sound.T], 1)
    return sound


def unclicked(x: np.ndarray) -> np.ndarray:
    """Samples far from the median of five become it."""
    middle = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(x, 2, mode="edge"), 5), 1)
    far = np.abs(x - middle)
    return np.where(far > 6 * np.median(far) + 0.02 * np.abs(x).max(), middle, x)


def interpolated(x: np.ndarray) -> np.ndarray:
    """A cubic through the two samples before and after each clipped stretch."""
    out, top = np.array(x, float), np.abs(x).max() * 0.999
    hit = np.flatnonzero(np.abs(x) >= top)
    for run in np.split(hit, np.flatnonzero(np.diff(hit) > 1) + 1) if len(hit) else []:
        at = np.array([run[0] - 2, run[0] - 1, run[-1] + 1, run[-1] + 2])
        if at[0] >= 0 and at[-1] < len(x):
            cubic = np.polyfit(at - at[0], x[at], 3)
            out[run] = np.sign(x[run]) * np.maximum(np.abs(np.polyval(cubic, run - at[0])), np.abs(x[run]))
    return out


def notched(x: np.ndarray) -> np.ndarray:
    """50 and 60 Hz, whichever is the louder, and 31 harmonics taken out, 2 Hz wide."""
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    base = max((50.0, 60.0), key=lambda f: sum(np.abs(spectrum[np.abs(hz - k * f) < 1]).max() for k in (1, 2, 3)))
    away = np.abs(hz - base * np.clip(np.round(hz / base), 1, 32))
    return np.fft.irfft(spectrum * np.clip(away - 0.5, 0, 1), len(x))


def wiener(x: np.ndarray) -> np.ndarray:
    """Noise by minimum statistics: each bin's quietest tenth; gains smoothed over time, no less than -20 dB."""
    window = np.sqrt(np.hanning(WINDOW + 1)[:-1])
    padded = np.pad(x, WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    spectrum = np.fft.rfft(frames, axis=1)
    power = np.square(np.abs(spectrum))
    noise = np.percentile(power, 10, axis=0) * 9.5
    smooth = np.apply_along_axis(lambda p: np.convolve(p, np.ones(3) / 3, "same"), 0, power)
    gain = np.maximum(1 - noise / np.maximum(smooth, 1e-12), 0.1)
    pieces = np.fft.irfft(spectrum * gain, WINDOW, axis=1) * window
    out = np.zeros(len(padded))
    for i, piece in enumerate(pieces):
        out[i * HOP : i * HOP + WINDOW] += piece / 2
    return out[WINDOW : WINDOW + len(x)]


# ---- the table -------------------------------------------------------------------------------------------------------


def by_voice(voice: str, told: bool) -> Way:
    loaded = antiphon.load(voice)

    def repaired(sound: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
        return from_audio(sound, RATE, what=tuple(amounts) if told and amounts else "auto", voice=loaded)

    return repaired


def damaged_by(
    row: str, sound: np.ndarray, amounts: dict[str, float], rng: np.random.Generator, field: Field | None = None
) -> np.ndarray:
    codec = CODECS.get(row.split()[0])
    return through(sound, codec, amounts["codec"]) if codec else inflict(sound, amounts, rng, field)


def heard(sound: np.ndarray) -> Faults:
    listener = Listener()
    listener(sound)
    return listener.heard()


def excerpts(folder: Path, count: int, seconds: float) -> list[np.ndarray]:
    """The middle of `count` files, spread over the folder, its peak at -3 dB."""
    files = [path for path in find_audio(folder) if "noise" not in path.parts]
    found = []
    for path in files[:: max(len(files) // count, 1)][:count]:
        sound = read_audio(path, mono=False)
        start = max(len(sound) - round(seconds * RATE), 0) // 2
        part = sound[start : start + round(seconds * RATE)]
        found.append(part * (0.7 / max(float(np.abs(part).max()), 1e-3)))
    return found


def field_of(folder: Path) -> Callable[[int], np.ndarray] | None:
    files = find_audio(folder / "noise") if (folder / "noise").is_dir() else []
    if not files:
        return None
    rng = np.random.default_rng(5)
    return lambda n: np.resize(read_audio(files[int(rng.integers(len(files)))]), n)


def measured(
    row: str, ways: Mapping[str, Way], clean: list[np.ndarray], amounts: dict[str, float], folder: Path
) -> dict:
    """{way: {measure: values by file}}, and what was heard."""
    field, out, listened = field_of(folder), {name: {} for name in ways}, []
    for i, sound in enumerate(clean):
        damaged = damaged_by(row, sound, amounts, np.random.default_rng((7, i)), field)
        listened.append(heard(damaged).amounts)
        for name, way in ways.items():
            made = way(damaged, amounts)
            figures = {"si_sdr": si_sdr(made, sound), "lsd": lsd(made, sound), "change": change(made, damaged)}
            for key, value in figures.items():
                out[name].setdefault(key, []).append(value)
    return {"ways": out, "heard": listened}


def cell(figures: Mapping[str, list[float]], clean: bool) -> str:
    if clean:
        return f"{np.mean(figures['change']):.0f} (worst {np.max(figures['change']):.0f})"
    parts = [f"{np.mean(v):.{d}f} ± {mean_margin(np.array(v)):.{d}f}" for v, d in ((figures["si_sdr"], 1),)]
    return " / ".join([*parts, f"{np.mean(figures['lsd']):.2f} ± {mean_margin(np.array(figures['lsd'])):.2f}"])


# ---- listening -------------------------------------------------------------------------------------------------------


def listening(clean: list[np.ndarray], folder: Path, rows: Mapping[str, dict[str, float]]) -> None:
    """Print a table of what is heard in files with one damage, or none; recorded noise has rows of its own."""
    field, total = field_of(folder), np.zeros((2, 2), int)
    print(
        "| | worst heard | surely | amount right | median error | heard besides |\n|---|---:|---:|---:|---:|---|",
        flush=True,
    )
    for row, amounts in rows.items():
        if len(amounts) > 1 or UNHEARD & amounts.keys():
            continue
        rngs = [np.random.default_rng((7, i)) for i in range(len(clean))]
        damaged = [inflict(sound, amounts, rng) for sound, rng in zip(clean, rngs, strict=True)]
        found = [heard(sound) for sound in damaged]
        print(listened_row(row, amounts, clean, damaged, found), flush=True)
        right = np.array([faults.dominant in amounts for faults in found])
        audible = np.array([lsd(a, b) >= AUDIBLE for a, b in zip(damaged, clean, strict=True)])
        total += [[right.sum(), len(right)], [right[audible].sum(), audible.sum()]] if amounts else 0
        if "noise" in amounts and field is not None:
            noises = [recorded(sound, field, rng) for sound, rng in zip(clean, rngs, strict=True)]
            damaged = [x + at_distance(x, noise, amounts["noise"]) for x, noise in zip(clean, noises, strict=True)]
            found = [heard(sound) for sound in damaged]
            print(listened_row(f"{row}, recorded", amounts, clean, damaged, found), flush=True)
    print("\nwithout recorded noise {}/{}; of those that differ audibly {}/{}".format(*total.ravel()))


def listened_row(
    row: str, amounts: Mapping[str, float], clean: list[np.ndarray], damaged: list[np.ndarray], found: list[Faults]
) -> str:
    name = next(iter(amounts), None)
    right = [i for i, faults in enumerate(found) if faults.dominant == name]
    besides = Counter(other for faults in found for other in faults.suspected if other != name)
    said = ", ".join(f"{other} {count}" for other, count in besides.most_common()) or "nothing"
    cells = ["", ""]
    if name in NEAR and right:
        near, unit = NEAR[name]
        told = np.array([found[i].suspected[name] for i in right])
        true = np.array([limit(clean[i], damaged[i]) if name == "bandwidth" else amounts[name] for i in right])
        error = 100 * (told / true - 1) if unit == "%" else told - true
        cells = [f"{(np.abs(error) <= near).sum()}/{len(right)}", f"{np.median(error):+.1f} {unit}"]
    sure = sum(name not in found[i].doubtful for i in right)
    return f"| {row} | {len(right)}/{len(found)} | {sure} | {' | '.join(cells)} | {said} |"


def limit(clean: np.ndarray, damaged: np.ndarray) -> float:
    """Hz from which on a sound is 3 dB softer than it was: some filters fall long before their cut-off."""
    was, became = (np.convolve(powers(x).mean(0) + 1e-20, np.ones(7) / 7, "same") for x in (clean, damaged))
    hz = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    return float(hz[(became < was / 2) & (hz > 1000)][0])


NEAR = {"noise": (3.0, "dB"), "hum": (3.0, "dB"), "bandwidth": (10.0, "%")}
UNHEARD = {"codec", "reverb"}
AUDIBLE = 0.05  # log-spectral distance; less is what lies below -80 dB


def sheet(ways: Mapping[str, Way], clean: list[np.ndarray], folder: Path, path: Path) -> None:
    """Some rows of the table as spectrograms: columns are damages, lines are ways."""
    shown = {name: ROWS[name] for name in list(ROWS)[2:] if name in SHOWN}
    columns = []
    for i, amounts in enumerate(shown.values()):
        sound = clean[i % len(clean)]
        damaged = inflict(sound, amounts, np.random.default_rng((7, i)), field_of(folder))
        columns.append([sound, *(way(damaged, amounts) for way in ways.values())])
    lines = {name: [column[k].mean(1) for column in columns] for k, name in enumerate(["clean", *ways])}
    spectrogram_grid(lines, list(shown), path)


SHOWN = ("noise 10 dB", "clipping 7 dB", "cut off at 4 kHz", "codec 12 kbit/s", "reverberation 0.7 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="clean music, and a folder noise in it")
    parser.add_argument("--voices", nargs="*", default=["repair"], metavar="[NAME=]VOICE")
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rows", nargs="*", metavar="WORD", help="only rows that begin so")
    parser.add_argument("--told", action="store_true", help="also told what kind of damage it is")
    parser.add_argument("--listen", action="store_true", help="only listen")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    rows = {k: v for k, v in ROWS.items() if not args.rows or k.startswith(tuple(args.rows))}
    clean = excerpts(args.folder, args.files, args.seconds)
    if args.listen:
        return listening(clean, args.folder, rows)
    ways: dict[str, Way] = {"untouched": untouched, "classical": classical}
    for text in args.voices:
        name, _, place = text.rpartition("=")
        ways[name or place] = by_voice(place, told=False)
        if args.told:
            ways[f"{name or place}+"] = by_voice(place, told=True)
    if args.sheet:
        sheet(ways, clean, args.folder, args.sheet)
    print(f"SI-SDR dB / LSD, {len(clean)} files of {args.seconds:g} s\n\n| | {' | '.join(ways)} | heard |")
    print("|---|" + "---:|" * len(ways) + "---|", flush=True)
    results = {}
    for name, amounts in rows.items():
        began = time.monotonic()
        results[name] = found = measured(name, ways, clean, amounts, args.folder)
        cells = [cell(found["ways"][way], not amounts) for way in ways]
        wanted = set(amounts)
        right = sum(set(h) == wanted for h in found["heard"])
        print(f"| {name} | {' | '.join(cells)} | {right}/{len(clean)} |", flush=True)
        results[name]["seconds"] = time.monotonic() - began
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
