"""Renders soundfonts to a labelled folder of notes: FLAC files, and a notes.csv that describes them.

Everything about a note (hold, velocity, split) depends on (seed, font, preset, key, layer), never on what was
rendered before it, so that an interrupted render continues with the same notes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from antiphon.audio.ops import Audio, cut_tail_by_peak, mono_channel
from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import held
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling import gm
from antiphon.data.labelling.row import EXTRA
from antiphon.data.soundfont.fluid import Fluid
from antiphon.data.soundfont.sf2 import Preset, read_presets

COLUMNS = ("path", "pitch", "instrument", "preset", "style", "velocity", "seconds", "split")
PEAK = 10 ** (-1 / 20)  # the loudest sample of a preset
UNASKED = ("drums", "another bank", "another program")  # reasons not worth reporting
_SKIPPED_NAMES = re.compile(r"\bexpr\b|feedback|metronome", re.IGNORECASE)  # repeated samples; howling; no keys


@dataclass(frozen=True)
class RenderOptions:
    """What to render. Times in seconds, keys in semitones, fractions in 0..1."""

    programs: tuple[int, ...] | None = None  # General MIDI programs; None: all that play single notes
    banks: tuple[int, ...] | None = None  # None: every bank but the drums
    step: int = 2  # from one key to the next
    velocities: int = 3  # layers per key, each at a random velocity within its share of 20..127
    hold: tuple[float, float] = (0.1, 6.0)  # drawn log-uniformly
    longest: float = 8.0  # hold and release together
    floor_db: float = -60.0  # where the tail ends, re the note's own peak
    block_fraction: float = 1 / 3  # presets with one octave held out (every key of it is rendered, split 'block')
    extra: int = 1  # how often the held-out octaves' layers are drawn again (split 'extra': distances need many notes)
    preset_fraction: float = 0.15  # presets held out whole (split 'preset'), of those with siblings and no relatives
    valid_fraction: float = 0.04  # notes held out of the others (split 'valid')
    same: float = 0.98  # presets of one program that correlate more than this share samples: one is enough
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """A preset to render. `block` is the first key of the octave held out, or None."""

    font: Path
    preset: Preset
    folder: str  # relative to the output folder
    low: int
    high: int
    split: str
    block: int | None

    @property
    def label(self) -> str:
        """The preset's name in notes.csv: font:bank:program:name."""
        return f"{self.font.stem}:{self.preset.bank}:{self.preset.program}:{self.preset.name}"

    @property
    def instrument(self) -> str:
        return gm.PROGRAMS[self.preset.program]

    def pitch(self, key: int) -> str:
        """A key's pitch in notes.csv."""
        return str(key)

    @property
    def style(self) -> str:
        """Style words, separated by semicolons."""
        return ";".join(gm.styles_of(self.preset.program, self.preset.name))


@dataclass(frozen=True)
class PlannedNote:
    """A note to render. `hold` in seconds."""

    key: int
    velocity: int
    hold: float
    split: str


@dataclass(frozen=True)
class Summary:
    """What a render wrote to its folder."""

    notes: int
    presets: int
    silent: int  # notes that made no sound
    dropped: tuple[tuple[str, str], ...]  # (preset, why)


def render(
    fonts: Sequence[str | Path],
    out: str | Path,
    options: RenderOptions | None = None,
    report: Callable[[str], None] = print,
) -> Summary:
    """Renders fonts into `out`, one folder per preset, and writes `out`/notes.csv.

    Programs are rendered in order, with all fonts of each, so that a partial render is already balanced. The same call
    again continues where it stopped. Raises AntiphonError for unreadable fonts, if FluidSynth is missing, or if `out`
    holds a render made with other settings.
    """
    options = options or RenderOptions()
    paths = [Path(os.path.realpath(font)) for font in fonts]
    folder = Path(out)
    claim(folder, paths, options)
    with Fluid(SAMPLE_RATE) as fluid:
        jobs, dropped = plan(fluid, paths, options)
        if not jobs:
            raise AntiphonError(f"nothing to render in {', '.join(p.name for p in paths)}: use another, or --programs")
        for path, why in dropped:
            report(f"left out {path}: {why}")
        for number, job in enumerate(jobs, 1):
            if not (folder / job.folder / "notes.csv").exists():
                count = render_preset(fluid, job, list(notes_of(job, options)), folder, options)
                report(f"{number}/{len(jobs)} {job.label}: {count} notes, keys {job.low}-{job.high}, {job.split}")
    planned = sum(len(list(notes_of(job, options))) for job in jobs)
    notes = collect(folder, jobs)
    return Summary(notes, len(jobs), planned - notes, tuple(dropped))


def plan(fluid: Fluid, fonts: Sequence[Path], options: RenderOptions) -> tuple[list[Job], list[tuple[str, str]]]:
    """The presets to render, program by program, and (preset, why) for those left out."""
    dropped: list[tuple[str, str]] = []
    by_program: dict[int, list[Job]] = defaultdict(list)
    for font in fonts:
        for preset in read_presets(font):
            job = _job(font, preset)
            why = _unfit(job, options)
            if why is None:
                by_program[preset.program].append(job)
            elif why not in UNASKED:
                dropped.append((job.label, why))
    jobs = []
    for program in sorted(by_program):
        kept: list[tuple[Job, Audio]] = []
        for job in by_program[program]:
            probe = _probe(fluid, job)
            twin = next((other.label for other, sound in kept if alike(probe, sound) > options.same), None)
            if twin:
                dropped.append((job.label, f"same samples as {twin}"))
            elif not probe.any():
                dropped.append((job.label, "silent"))
            else:
                kept.append((job, probe))
        jobs += [job for job, _ in kept]
    jobs = _with_splits(jobs, options)
    played = [any(notes_of(job, options)) for job in jobs]
    why = "none of its few keys is rendered: --step 1 renders all"
    dropped += [(job.label, why) for job, some in zip(jobs, played, strict=True) if not some]
    return [job for job, some in zip(jobs, played, strict=True) if some], dropped


def _job(font: Path, preset: Preset) -> Job:
    low, high = gm.key_range(preset.program, preset.name)
    keys = [key for key in preset.keys if low <= key <= high] or [0]
    slug = re.sub(r"[^a-z0-9]+", "-", preset.name.lower()).strip("-")
    folder = f"{font.stem}/{preset.program:03d}-{preset.bank:03d}-{slug}"
    return Job(font, preset, folder, min(keys), max(keys), "train", None)


def _unfit(job: Job, options: RenderOptions) -> str | None:
    preset = job.preset
    if preset.bank == 128 or (options.banks is not None and preset.bank not in options.banks):
        return "drums" if preset.bank == 128 else "another bank"
    if options.programs is not None and preset.program not in options.programs:
        return "another program"
    if preset.program in gm.NOT_NOTES:
        return "plays chords, echoes or noises"
    if _SKIPPED_NAMES.search(preset.name):
        return "a variant without notes of its own"
    return "fewer than 12 keys" if job.high - job.low < 11 else None


def _probe(fluid: Fluid, job: Job) -> Audio:
    """(samples,) of a loud note from the middle of the range, for comparing presets."""
    fluid.select(job.font, job.preset)
    key = min(max(60, job.low), job.high)
    sound = fluid.note(key, 100, SAMPLE_RATE, round(1.5 * SAMPLE_RATE))
    return sound[:, int(np.argmax(np.square(sound).sum(axis=0)))]


def alike(a: Audio, b: Audio) -> float:
    """Similarity of two notes, at most 1: the larger of their normalised cross-correlation's peak (any lag) and the
    correlation of their log spectrograms (which a different start phase or filter delay does not change)."""
    size = max(len(a), len(b))
    a, b = (np.pad(x, (0, size - len(x))) for x in (a, b))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norm == 0.0:
        return 0.0
    length = 1 << (2 * size - 1).bit_length()
    lags = np.fft.irfft(np.fft.rfft(a, length) * np.conj(np.fft.rfft(b, length)), length)
    first, second = (_log_spectrogram(x) for x in (a, b))
    return max(float(np.abs(lags).max()) / norm, float(np.corrcoef(first, second)[0, 1]))


def _log_spectrogram(audio: Audio, size: int = 2048) -> Audio:
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, (0, size)), size)[::size]
    level = 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) + 1e-9)
    return np.maximum(level, level.max() - 70).ravel()


def _with_splits(jobs: Sequence[Job], options: RenderOptions) -> list[Job]:
    """Decides what is held out; presets that share recordings hold out the same octave, lest one leak the other's."""
    siblings = Counter(job.preset.program for job in jobs)
    leaders = _relatives(jobs)
    alone = Counter(leaders)
    result = []
    for job, leader in zip(jobs, leaders, strict=True):
        first = jobs[leader]
        room = first.high - first.low - 23  # half an octave stays below and above the block
        if (
            siblings[job.preset.program] > 1  # of those that are not held out
            and alone[leader] == 1
            and unit(options.seed, job.label, "preset") < options.preset_fraction
        ):
            job = replace(job, split="preset")
            siblings[job.preset.program] -= 1
        elif room > 0 and unit(options.seed, first.label, "block") < options.block_fraction:
            job = replace(job, block=first.low + 6 + int(room * unit(options.seed, first.label, "place")))
        result.append(job)
    return result


def _relatives(jobs: Sequence[Job]) -> list[int]:
    """For each job, the first job that it shares recordings with, directly or indirectly (itself if none).

    Sharing means all samples or, within a family, half of the smaller preset's and at least three, since pads and synth
    basses are layered from one or two common waves, which says little about any of them.
    """
    samples = [{zone.sample.lower() for zone in job.preset.zones} for job in jobs]
    leaders = list(range(len(jobs)))
    for i in range(len(jobs)):
        for j in range(i):
            shared, smaller = len(samples[i] & samples[j]), min(len(samples[i]), len(samples[j]))
            family = jobs[i].preset.program // 8 == jobs[j].preset.program // 8
            if samples[i] == samples[j] or (family and shared >= max(3, smaller / 2)):
                low, high = sorted((leaders[i], leaders[j]))
                leaders = [low if leader == high else leader for leader in leaders]
    return leaders


def notes_of(job: Job, options: RenderOptions) -> Iterator[PlannedNote]:
    """The notes of a preset, in order of key, then layer; extra ones follow the others of their key."""
    offset = int(options.step * unit(options.seed, job.label, "offset"))
    keys = job.preset.keys
    for key in range(job.low, job.high + 1):
        blocked = job.block is not None and job.block <= key < job.block + 12
        if key not in keys or (not blocked and (key - offset) % options.step):
            continue
        layers = min(2, options.velocities) if blocked else options.velocities
        edges = np.linspace(20, 128, layers + 1).round().astype(int)
        taken: set[int] = set()
        for number in range(layers * (1 + options.extra * blocked)):
            layer, extra = number % layers, number >= layers
            draw = np.random.default_rng(_hash(options.seed, job.label, key, number, layers))
            free = [v for v in range(edges[layer], edges[layer + 1]) if v not in taken]
            velocity = free[draw.integers(len(free))]
            taken.add(velocity)
            hold = float(np.exp(draw.uniform(*np.log(options.hold))))
            split = (EXTRA if extra else "block") if blocked else job.split
            if split == "train" and draw.random() < options.valid_fraction:
                split = "valid"
            yield PlannedNote(key, velocity, hold, split)


def render_preset(
    fluid: Fluid, job: Job, notes: Sequence[PlannedNote], folder: Path, options: RenderOptions, peak: float = PEAK
) -> int:
    """Writes notes of one preset into `folder`/`job.folder`, with one gain (the loudest sample becomes `peak`) and one
    way to fold to mono. Extra notes affect neither, and those louder than all others are left out. The preset's
    notes.csv is written last and marks it done. Returns how many notes were written."""
    fluid.select(job.font, job.preset)
    longest = round(options.longest * SAMPLE_RATE)
    sounds = [fluid.note(n.key, n.velocity, round(n.hold * SAMPLE_RATE), longest, options.floor_db) for n in notes]
    voting = [i for i, note in enumerate(notes) if note.split != EXTRA]
    choices = Counter(mono_channel(sounds[i]) for i in voting if sounds[i].any())
    channel = choices.most_common(1)[0][0] if choices else 0
    mono = [sound.mean(axis=1) if channel is None else sound[:, channel] for sound in sounds]
    gain = peak / max(1e-9, max(float(np.abs(mono[i]).max(initial=0)) for i in voting))
    place = folder / job.folder
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    for note, sound in zip(notes, mono, strict=True):
        cut_off = len(sound) >= longest  # still sounding: fade it over a tenth of a second, so that it does not click
        trimmed = cut_tail_by_peak(sound, options.floor_db, fade=SAMPLE_RATE // 10 if cut_off else SAMPLE_RATE // 200)
        level = gain * float(np.abs(trimmed).max(initial=0))
        if 1e-4 < level <= peak * 1.00001:
            name = f"{note.key:03d}-v{note.velocity:03d}.flac"
            _write_flac(place / name, trimmed * gain)
            rows.append(_row(job, note, name))
    _write_csv(place / "notes.csv", rows)
    return len(rows)


def _row(job: Job, note: PlannedNote, name: str) -> dict[str, str]:
    held = f"{note.hold:.4f}"
    values = (name, job.pitch(note.key), job.instrument, job.label, job.style, note.velocity, held, note.split)
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _write_flac(path: Path, audio: Audio) -> None:
    import soundfile

    with held():
        soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16", format="FLAC", compression_level=0.5)


def _write_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with atomic(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def collect(folder: Path, jobs: Sequence[Job]) -> int:
    """Joins the presets' tables into `folder`/notes.csv; returns its number of notes."""
    rows = []
    for job in jobs:
        with (folder / job.folder / "notes.csv").open(newline="", encoding="utf-8") as file:
            rows += [row | {"path": f"{job.folder}/{row['path']}"} for row in csv.DictReader(file)]
    _write_csv(folder / "notes.csv", rows)
    return len(rows)


def claim(folder: Path, fonts: Sequence[Path], options: RenderOptions) -> None:
    """Records the settings in the folder, or checks that they are the ones it was begun with."""
    for font in fonts:
        if not font.is_file():
            raise AntiphonError(f"{font} does not exist: give the path of a .sf2 file")
    name, count = Counter(font.stem.lower() for font in fonts).most_common(1)[0]
    if count > 1:  # their sounds would share a folder
        raise AntiphonError(f"{count} of the soundfonts are named {name}: rename one, or render each separately")
    settings = json.dumps({"fonts": [font.name for font in fonts], "options": asdict(options)}, indent=1)
    marker = folder / "render.json"
    if marker.exists():
        if marker.read_text(encoding="utf-8") != settings:
            raise AntiphonError(f"{folder} contains a render with other settings: give another folder, or empty it")
    elif folder.exists() and any(folder.iterdir()):
        raise AntiphonError(f"{folder} is not empty: give a new folder")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(settings, encoding="utf-8")


def _hash(*parts: object) -> int:
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def unit(*parts: object) -> float:
    """A number in [0, 1) that depends only on the parts."""
    return _hash(*parts) / 2.0**64
