"""What a run of scenes sounds like so far: recordings beside imagined ones, as a sheet and as sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.core.run_files import SHEETS, SOUNDS
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.scenes import Scenes
from antiphon.metrics.plots.sheet import texture_sheet
from antiphon.training.reports.wav import write_wav
from antiphon.voices.capabilities import ImaginesScenes
from antiphon.voices.voice import Voice

SECONDS = 4.0
MOST = 24  # labels


def write_scene_sheet(folder: Path, voice: Voice, data: Scenes, step: int) -> Path:
    """sheets/step-N.png: of each label a recording, held out if there is one, what is heard in it, and an imagined
    place; sounds/step-N.wav: the same, in stereo. -> the picture's path"""
    player = voice.able(ImaginesScenes, "be listened to")
    rows, sounds = [], []
    for label in range(min(len(data.labels.instruments), MOST)):
        name = data.labels.instruments[label]
        own = [i for split in ("valid", "train") for i in data.where(split).tolist() if data.instrument[i] == label]
        if not own:
            continue
        real = data.audio(own[0], 0, min(data.samples(own[0]), round(SECONDS * SAMPLE_RATE)))
        stereo = np.stack([real[0] + real[1], real[0] - real[1]], 1)
        heard = player.scene(((0.0, player.hear(stereo, SAMPLE_RATE)),), seconds=SECONDS, seed=1)
        dreamt = player.scene(((0.0, {name: 1.0}),), seconds=SECONDS, seed=step)
        line = [stereo, *(one.read(round(SECONDS * SAMPLE_RATE)) for one in (heard, dreamt))]
        rows += list(zip((name, "heard", "imagined"), (x.mean(1) for x in line), strict=True))
        sounds += line
    for place in (SHEETS, SOUNDS):
        (folder / place).mkdir(exist_ok=True)
    picture = folder / SHEETS / f"step-{step:06d}.png"
    texture_sheet(rows, picture, SECONDS)
    write_wav(folder / SOUNDS / f"step-{step:06d}.wav", sounds)
    return picture
