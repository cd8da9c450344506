"""Renders examples/notes: a small set of notes for trying `antiphon train`, none of which trained the voice `gm`.

    python examples/make_notes.py FluidR3_GM.sf2 MuseScore_General_Full.sf2 [FOLDER]

Both fonts must be the ones `gm` was rendered from (Debian's fluid-soundfont-gm and
musescore-general-soundfont-lossless, both MIT): its plan is recomputed to know which keys it was trained on, and only
other keys are rendered here, with other velocities and shorter holds. One octave of each instrument is marked `block`:
held out for measuring.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from antiphon.data.soundfont.fluid import Fluid
from antiphon.data.soundfont.render import Job, PlannedNote, RenderOptions, collect, notes_of, plan, render_preset

PROGRAMS = (0, 9, 12, 19, 24, 40, 48, 56, 65, 71, 73, 89)
TRAIN, BLOCK = 21, 6  # notes of each instrument
GM = RenderOptions()  # the options `gm` was rendered with
SHORT = replace(GM, hold=(0.15, 0.7), longest=1.1)
PEAK = 10 ** (-9 / 20)  # quieter than necessary, for smaller FLAC files


def choose(job: Job) -> list[PlannedNote]:
    """Notes of a preset at keys that `gm` was not trained on, spread over the range."""
    used = {note.key for note in notes_of(job, GM) if note.split in ("train", "valid")}
    free = [key for key in range(job.low, job.high + 1) if key in job.preset.keys and key not in used]
    start = (job.low + job.high - 11) // 2
    inside = [key for key in free if start <= key < start + 12]
    outside = [key for key in free if key not in inside]
    draw = np.random.default_rng(job.preset.program)
    keys = sorted([outside[i % len(outside)] for i in np.linspace(0, 2 * len(outside) - 1, TRAIN).astype(int)])
    notes = {}
    for key in [*keys, *[inside[i] for i in np.linspace(0, len(inside) - 1, BLOCK).astype(int)]]:
        velocity = int(draw.integers(28, 128))
        hold = float(np.exp(draw.uniform(*np.log(SHORT.hold))))
        notes[key, velocity] = PlannedNote(key, velocity, hold, "block" if key in inside else "train")
    return [notes[at] for at in sorted(notes)]


def main(fonts: list[Path], folder: Path) -> None:
    """Renders the set into `folder`, replacing those instruments' notes there."""
    with Fluid() as fluid:
        jobs, _ = plan(fluid, fonts, GM)
        chosen = {}
        for job in jobs:
            if job.preset.program in PROGRAMS and job.split == "train":
                chosen.setdefault(job.preset.program, job)
        short = []
        for job in chosen.values():
            short.append(replace(job, folder=job.folder.split("/")[1].split("-", 2)[2]))
            shutil.rmtree(folder / short[-1].folder, ignore_errors=True)
            render_preset(fluid, short[-1], choose(job), folder, SHORT, PEAK)
    print(collect(folder, short), "notes of", len(short), "instruments in", folder)
    for job in short:
        (folder / job.folder / "notes.csv").unlink()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    paths = [Path(name).resolve() for name in sys.argv[1:]]
    main(paths[:2], paths[2] if len(paths) == 3 else Path(__file__).resolve().parent / "notes")
