"""From one sound to another in even steps: from_names, and `morph`, into a sound file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from antiphon.audio.files import Form, check_place, check_target, encode
from antiphon.core.atomic import all_atomic, in_folder
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note, mixed
from antiphon.core.seeds import check_seed
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.labels import parse_pitch
from antiphon.metrics.plots.sheet import spectrogram_strip
from antiphon.verbs.finish import Finish
from antiphon.verbs.report import Report
from antiphon.verbs.scene import scene
from antiphon.voices.capabilities import ImaginesScenes, PlaysNotes
from antiphon.voices.expression import common_pitch, still, way_between
from antiphon.voices.find import load

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

MOST = 100  # steps
LONGEST = 1_200  # seconds held, all steps together
GAP = 0.1  # seconds of silence between two


def from_names(
    start: str | int,
    stop: str | int,
    voice: str | Path | Voice = "gm",
    *,
    steps: int = 8,
    pitch: str | float | None = None,
    velocity: float = 100,
    seconds: float = 1.5,
    seed: int | str = 0,
    variation: float | None = None,
    control: Mapping[str, float] | None = None,
) -> list[np.ndarray]:
    """`steps` sounds, (samples,) float32 at 44.1 kHz each: a note of `start` that gradually turns into `stop`.

    start, stop: instrument expressions (see antiphon.voices.expression): labels, blends or recordings of a note. Steps
    are even to the ear, not in w (see antiphon.voices.interpolation). The first and the last are exactly the sounds of
    `start` and `stop` alone. pitch: "C4", 61 or 60.5 (default: a key that both were trained on). velocity: 1..127.
    seconds: how long each is held. seed, variation, control: as in `generate`."""
    if not 2 <= steps <= MOST:
        raise AntiphonError(f"cannot morph in {steps} steps: use 2 to {MOST}")
    if steps * seconds > LONGEST:
        raise AntiphonError(f"{steps} steps of {seconds:g} s are too long: use at most {LONGEST:,} s in total")
    player, number = load(voice).able(PlaysNotes, "morph"), check_seed(seed)
    a, b = (still(player, name, seed=number, variation=variation, control=control) for name in (start, stop))
    key = common_pitch(player, (a.labels[0], b.labels[0])) if pitch is None else parse_pitch(str(pitch))
    note, shares = Note(key, seconds, velocity, seed=number), [i / (steps - 1) for i in range(steps)]
    way = way_between(player, a, b, note)
    shapings = [mixed([a.shaping(), b.shaping()], (1 - share, share)) for share in shares]
    notes = [replace(note, shaping=shaping) for shaping in shapings]
    return player.notes(notes, w=torch.stack([way(share) for share in shares]))


def morph(
    voice: str | Path | Voice,
    out: str | Path,
    start: str | int,
    stop: str | int,
    *,
    steps: int = 8,
    pitch: str | float | None = None,
    velocity: float = 100,
    seconds: float = 1.5,
    seed: int | str = 0,
    variation: float | None = None,
    control: Mapping[str, float] | None = None,
    picture: bool = False,
    rate: int | None = None,
    bits: int | None = None,
    mono: bool = False,
    gain: float = 0.0,
    lufs: float | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Write a morph's steps, one after another, into a sound file; returns its path.

    picture: also draw their spectrograms side by side in a PNG of the same name. rate, bits, mono: of the file, as in
    `play`; gain: dB; lufs: loudness of the whole. For other keywords see from_names. A voice of scenes
    goes from one place to the other without steps, as long as all of them. Raises
    AntiphonError for invalid values, or (without force) if a file exists."""
    found = load(voice)
    if isinstance(found, ImaginesScenes):
        if picture or pitch is not None:
            raise found.cannot("morph notes, with pitches and pictures")
        form: dict[str, Any] = {"rate": rate, "bits": bits, "mono": mono, "lufs": lufs, "force": force, "quiet": quiet}
        form |= {"level": gain, "seed": seed, "control": control} | (
            {} if variation is None else {"variation": variation}
        )
        return scene(out, found, sound=f"{start}>{stop}", seconds=steps * seconds, **form)
    voice, finish = found, Finish(0.0, lufs, gain, Form(rate, bits, mono))
    target = check_target(out, form=finish.form, force=force)
    pictures = [check_place(target.with_suffix(".png"), force=force)] if picture else []
    with Report(quiet).warnings():
        how = {"velocity": velocity, "seconds": seconds, "variation": variation, "control": control}
        sounds = from_names(start, stop, voice, steps=steps, pitch=pitch, seed=seed, **how)  # type: ignore[arg-type]
    gap = np.zeros(round(GAP * SAMPLE_RATE), np.float32)
    line = np.concatenate([piece for sound in sounds for piece in (sound, gap)])
    line = finish(line)
    with in_folder(target.parent), all_atomic([target, *pictures]) as (draft, *drawn):
        encode(draft, target, line, form=finish.form)
        for place in drawn:
            between = [f"{100 * i / (steps - 1):.0f} %" for i in range(1, steps - 1)]
            spectrogram_strip(sounds, [Path(str(start)).name, *between, Path(str(stop)).name], place)
    return target
