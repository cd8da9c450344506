"""Renders the drum kits of soundfonts (bank 128) to a labelled folder of hits, as `soundfont` does their instruments.

Kits repeat each other, and so do fonts. A drum whose samples another kit of its font already plays on the same key, or
that correlates with a drum of the same name, is rendered once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from antiphon.audio.ops import Audio
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.drums import KEYS
from antiphon.data.soundfont.fluid import Fluid
from antiphon.data.soundfont.render import (
    Job,
    PlannedNote,
    RenderOptions,
    Summary,
    alike,
    claim,
    collect,
    notes_of,
    render_preset,
    unit,
)
from antiphon.data.soundfont.sf2 import Preset, Zone, read_presets

PROBED = 0.4  # seconds of a hit to compare with others
ENOUGH = 8  # drums of one name before some may be held out
KITS = 48  # programs below this follow General MIDI's map; orchestral and marching kits have maps of their own
OTHERWISE = {"brush": {39, 40}}  # keys on which a kit plays something else: a brush slaps and swirls
STYLES = {"electronic": "electric", "808": "electric synth", "brush": "acoustic brushed"}
HITS = RenderOptions(step=1, velocities=3, hold=(2.0, 2.0), longest=2.5, same=0.97, preset_fraction=0.1)


@dataclass(frozen=True)
class DrumJob(Job):
    """One drum of a kit; `low` and `high` are its key."""

    @property
    def label(self) -> str:
        return f"{super().label}:{self.low}"

    @property
    def instrument(self) -> str:
        return KEYS[self.low].drum

    def pitch(self, key: int) -> str:
        return ""  # a drum's key is not a pitch

    @property
    def style(self) -> str:
        found = next((words for name, words in STYLES.items() if name in self.preset.name.lower()), "acoustic")
        return ";".join(found.split())


def render_drums(
    fonts: Sequence[str | Path],
    out: str | Path,
    options: RenderOptions = HITS,
    report: Callable[[str], None] = print,
) -> Summary:
    """Renders the drums of fonts into `out`, one folder per drum, and writes `out`/notes.csv. A share of the drums is
    held out whole (split 'preset'), and single hits of the others ('valid').

    The same call again continues where it stopped. Raises AntiphonError as `soundfont.render` does."""
    paths, folder = [Path(font).resolve() for font in fonts], Path(out)
    claim(folder, paths, options)
    with Fluid(SAMPLE_RATE) as fluid:
        jobs, dropped = plan(fluid, paths, options)
        if not jobs:
            raise AntiphonError(f"no drum kit (bank 128) in {', '.join(p.name for p in paths)}: use another soundfont")
        for number, job in enumerate(jobs, 1):
            if not (folder / job.folder / "notes.csv").exists():
                count = render_preset(fluid, job, _strokes(job, options), folder, options)
                report(f"{number}/{len(jobs)} {job.instrument} ({job.label}): {count} hits, {job.split}")
    notes = collect(folder, jobs)
    return Summary(notes, len(jobs), sum(len(_strokes(job, options)) for job in jobs) - notes, tuple(dropped))


def plan(fluid: Fluid, fonts: Sequence[Path], options: RenderOptions) -> tuple[list[Job], list[tuple[str, str]]]:
    """The drums to render, by key, and (drum, why) for those left out."""
    found = sorted((job for font in fonts for job in _drums(font)), key=lambda job: job.low)
    dropped: list[tuple[str, str]] = []
    kept: dict[str, list[tuple[Job, Audio]]] = {}
    for job in found:
        fluid.select(job.font, job.preset)
        probe = fluid.note(job.low, 100, round(PROBED * SAMPLE_RATE), round(PROBED * SAMPLE_RATE))
        sound = probe[:, int((probe**2).sum(axis=0).argmax())]
        others = kept.setdefault(job.instrument, [])
        twin = next((other.label for other, heard in others if alike(sound, heard) > options.same), None)
        if twin or not sound.any():
            dropped.append((job.label, f"the same hit as {twin}" if twin else "silent"))
        else:
            others.append((job, sound))
    return _with_splits([job for some in kept.values() for job, _ in some], options), dropped


def _drums(font: Path) -> list[DrumJob]:
    """Every key of every kit, except those whose samples an earlier kit plays on the same key."""
    met, jobs = set(), []
    for preset in (p for p in read_presets(font) if p.bank == 128 and p.program < KITS):
        other = next((keys for name, keys in OTHERWISE.items() if name in preset.name.lower()), set())
        for key in sorted((preset.keys & KEYS.keys()) - other):
            samples = key, frozenset((z.sample.lower(), key - z.root + z.coarse) for z in _zones(preset, key))
            if samples not in met:
                met.add(samples)
                place = f"{font.stem}/{KEYS[key].drum.replace(' ', '-')}/{preset.program:03d}-{key}"
                jobs.append(DrumJob(font, preset, place, key, key, "train", None))
    return jobs


def _zones(preset: Preset, key: int) -> list[Zone]:
    return [zone for zone in preset.zones if zone.low <= key <= zone.high]


def _with_splits(jobs: Sequence[Job], options: RenderOptions) -> list[Job]:
    many = Counter(job.instrument for job in jobs)
    return [
        replace(job, split="preset")
        if many[job.instrument] >= ENOUGH and unit(options.seed, job.label, "preset") < options.preset_fraction
        else job
        for job in jobs
    ]


def _strokes(job: Job, options: RenderOptions) -> list[PlannedNote]:
    return list(notes_of(job, options))
