"""The facts behind an explanation, as plain JSON, and the sounds that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.files import read_audio
from antiphon.audio.mel import mel_distance
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.analysis.descriptors import find_onset
from antiphon.data.analysis.recording import one_note
from antiphon.data.labelling.labels import parse_name
from antiphon.data.labelling.row import note_name
from antiphon.data.prepare import LONGEST
from antiphon.metrics.conditions import CAUSES, Sound, contributions, levels_of, places, typical_w
from antiphon.metrics.critics_map import CriticsMap, critics_map, gesture_of, in_json
from antiphon.metrics.describers.describer import describer
from antiphon.metrics.describers.notes import HELD as MEASURED
from antiphon.metrics.nearest_sounds import Index
from antiphon.networks.discriminators.logmel import Discriminators
from antiphon.voices.capabilities import Encodes
from antiphon.voices.controls import Controls
from antiphon.voices.expression import common_pitch, heard

HELD = 1.2  # seconds of the sounds that show a control
STEPS = (-1.0, 0.0, 1.0)
STRIKE = 0.08  # seconds
C4 = 60  # MIDI
Sounds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Explained:
    """facts: plain JSON. sounds: to hear and see, in groups with a heading each; a group shares one scale. maps: what
    the critics heard in some of them, by name."""

    facts: dict[str, Any]
    sounds: dict[str, Sounds] = field(default_factory=dict)
    maps: dict[str, tuple[np.ndarray, CriticsMap]] = field(default_factory=dict)


# ---- a voice ---------------------------------------------------------------------------------------------------------


def voice_explained(voice: Any, controls: Controls | None, label: str | None) -> Explained:
    """What can be turned, what it moves, what each label's typical sound is like, and what was never heard."""
    shown = label or voice.instruments[0]
    facts: dict[str, Any] = {"of": "voice", "voice": voice.info.name, "kind": voice.kind, "instrument": shown}
    facts["instruments"] = [_instrument(voice, name, controls) for name in voice.instruments]
    facts["never_heard"] = _never_heard(voice)
    if voice.pitched:
        facts["at_one_note"] = _at_one_note(voice)
    sounds: dict[str, Sounds] = {}
    if controls is not None:
        facts["controls"] = _controls(controls)
        sounds = _turned(voice, controls, shown)
    return Explained(facts, sounds)


def _controls(controls: Controls) -> list[dict[str, Any]]:
    """Each control: what +1 means, how many labels have it, and the median of what it did to every trait."""
    found = []
    for i, name in enumerate(controls.names):
        there = controls.there[:, i]
        moved = controls.effects[there, i].median(0).values if bool(there.any()) else torch.zeros(len(controls.names))
        moves = {other: _round(x) for other, x in zip(controls.names, moved.tolist(), strict=True)}
        row = {"name": name, "meaning": controls.meanings[i], "instruments": int(there.sum()), "moves": moves}
        own, side = abs(moves[name]), max((abs(x) for other, x in moves.items() if other != name), default=0.0)
        found.append(row | {"largest_side_effect": side, "clean": own >= 3 * side})
    return found


def _instrument(voice: Any, label: str, controls: Controls | None) -> dict[str, Any]:
    lowest, highest = voice.info.range_of.get(label, (None, None)) if voice.pitched else (None, None)
    met = voice.info.styles_of.get(label, [])
    row: dict[str, Any] = {"label": label, "lowest": lowest, "highest": highest, "sounds": sum(n for _, n in met)}
    row["styles"] = [" ".join(words) for words, _ in met]
    if controls is None:
        return row
    at = controls.labels.index(label)
    spans = controls.spans[at].tolist()
    row["usual_note"] = common_pitch(voice, (label,)) if voice.pitched else None
    row["controls"] = list(controls.of(label))
    row["traits"] = {
        name: {"low": _round(low), "typical": _round(middle), "high": _round(high)}
        for name, (low, middle, high) in zip(controls.names, spans, strict=True)
    }
    return row


def _at_one_note(voice: Any) -> dict[str, Any]:
    """The traits of the typical sounds of all labels that were heard there at C4, where they can be compared."""
    ranges = voice.info.range_of
    labels = [label for label in voice.instruments if label in ranges and ranges[label][0] <= C4 <= ranges[label][1]]
    facts: dict[str, Any] = {"pitch": C4, "name": note_name(C4), "instruments": {}}
    if not labels:
        return facts
    how, w = describer(voice), torch.stack([typical_w(voice, label) for label in labels])
    sounds = voice.notes([Note(C4, MEASURED, 100, label) for label in labels], w=w)
    for label, sound in zip(labels, sounds, strict=True):
        values = how.measure(sound, C4)
        facts["instruments"][label] = {name: _round(x) for name, x in zip(how.names, values, strict=True)}
    return facts


def _never_heard(voice: Any) -> list[str]:
    """What a voice knows least of, in words."""
    said, info = [], voice.info
    if voice.pitched and info.range_of:
        low, high = min(a for a, _ in info.range_of.values()), max(b for _, b in info.range_of.values())
        said.append(f"Nothing below {note_name(round(low))} or above {note_name(round(high))} was heard by any label.")
    counts = {label: sum(n for _, n in met) for label, met in info.styles_of.items()}
    if len(counts) > 1:
        few = sorted(counts, key=lambda label: counts[label])[:5]
        said.append("Fewest sounds: " + ", ".join(f"{label} ({counts[label]})" for label in few) + ".")
    single = [label for label, met in info.styles_of.items() if len(met) == 1]
    if single and voice.styles:
        said.append(f"{len(single)} of {len(info.styles_of)} labels were heard in one style: other words are guesses.")
    return said


def _turned(voice: Any, controls: Controls, label: str) -> dict[str, Sounds]:
    """A label's typical sound with each control at -1, 0 and 1."""
    w = typical_w(voice, label)
    note = Note(common_pitch(voice, (label,)) if voice.pitched else 60.0, HELD, 100, label)
    names = controls.of(label)
    turned = [voice.turned(w, label, {name: amount}) for name in names for amount in STEPS]
    notes = [replace(note, shaping=one.shaping) for one in turned]
    made = voice.notes(notes, w=torch.stack([one.w for one in turned])) if turned else []
    titles = [f"{amount:+g}" if amount else "0" for amount in STEPS]
    return {
        f"{label}, its {name} turned": dict(
            zip([f"{name} {title}" for title in titles], made[len(STEPS) * i : len(STEPS) * (i + 1)], strict=True)
        )
        for i, name in enumerate(names)
    }


# ---- a note ----------------------------------------------------------------------------------------------------------


def note_explained(
    voice: Any, note: Note, controls: Controls | None, index: Index | None, critics: Discriminators | None = None
) -> Explained:
    """What made one sound: parts, conditions, traits, the nearest training sounds, and what the critics hear in it."""
    label = voice.resolve(note.instrument, note.seed)
    note = replace(note, instrument=label)
    w = voice.imagine(label, note.style, note.seed)
    facts: dict[str, Any] = {"of": "note", "voice": voice.info.name, "note": _note(voice, note)}
    facts["traits"] = _traits(voice, label, w, controls)
    (sound,) = voice.notes([note], w=w.unsqueeze(0))
    facts["parts"], parts = _parts(voice, note, w)
    found = contributions(voice, Sound(note, w))
    facts["conditions"] = {
        "typical": _note(voice, found.typical.note),
        "places": list(found.places),
        "typical_db": _rounded(found.before),
        "sound_db": _rounded(found.after),
        "contributions_db": {cause: _rounded(row) for cause, row in zip(CAUSES, found.shares, strict=True)},
        "missing": found.missing,
    }
    usual = voice.notes([found.typical.note], w=found.typical.w.unsqueeze(0))[0]
    facts |= _near(index, sound)
    title = _title(voice, note)
    facts["critics"], maps = _judged(voice, critics, note, {title: sound})
    sounds = {title: sound, **parts, "typical": usual}
    return Explained(facts, {"The sound, its parts, and the voice's typical sound": sounds}, maps)


def _note(voice: Any, note: Note) -> dict[str, Any]:
    said = {"instrument": note.instrument, "seed": note.seed, "velocity": note.velocity, "seconds": note.seconds}
    return said | {"pitch": note.pitch, "name": note_name(note.pitch) if voice.pitched else ""}


def _title(voice: Any, note: Note) -> str:
    return f"{note.instrument}{f' {note_name(note.pitch)}' if voice.pitched else ''}, seed {note.seed}"


def _traits(voice: Any, label: str, w: Tensor, controls: Controls | None) -> dict[str, Any]:
    """What is measured of a style vector's usual note, and where it lies among the label's sounds: -1 and 1 are their
    10th and 90th percentile."""
    how = describer(voice)
    values = how.heard(voice, label, w.unsqueeze(0))[0]
    found = _placed(how.names, values, label, controls)
    for trait in how.traits:
        found[trait.name]["unit"] = trait.unit
    return found


def _placed(names: Sequence[str], values: np.ndarray, label: str, controls: Controls | None) -> dict[str, Any]:
    found: dict[str, Any] = {name: {"measured": _round(x)} for name, x in zip(names, values, strict=True)}
    if controls is None or controls.names != tuple(names):
        return found
    spans = controls.spans[controls.labels.index(label)].double().numpy()
    for name, x, (low, middle, high) in zip(names, values, spans, strict=True):
        side = (high - middle) if x >= middle else (middle - low)
        found[name] |= {"low": _round(low), "typical": _round(middle), "high": _round(high)}
        found[name]["place"] = _round(np.clip((x - middle) / max(side, 1e-6), -9, 9))
    return found


def _parts(voice: Any, note: Note, w: Tensor) -> tuple[dict[str, Any], Sounds]:
    """The share of partials and of noise in a sound's energy, and of the first 80 ms in that of the noise."""
    try:
        (both,) = voice.notes([note], w=w.unsqueeze(0), parts=True)
    except Exception as error:  # a kind of voice that plays all at once
        if type(error).__name__ != "AntiphonError":
            raise
        return {}, {}
    energy = np.square(both, dtype=np.float64)
    total, cut = energy.sum() + 1e-20, round(STRIKE * SAMPLE_RATE)
    tones, noise = (_round(10 * np.log10(part.sum() / total + 1e-12)) for part in energy.T)
    facts = {"partials_db": tones, "noise_db": noise}
    facts["strike_db"] = _round(10 * np.log10(energy[:cut, 1].sum() / total + 1e-12))
    return facts, {"partials alone": both[:, 0], "noise alone": both[:, 1]}


def _near(index: Index | None, sound: np.ndarray) -> dict[str, Any]:
    """The nearest training sounds, and whether the sound may be a copy."""
    if index is None:
        return {}
    low, ten, ninety = index.between
    near = index.near(sound)
    copied = near[0].distance < low
    return {
        "nearest": [{"sound": one.name, "distance": _round(one.distance)} for one in near],
        "between_real": {"closest_1_percent": _round(low), "p10": _round(ten), "median": 1.0, "p90": _round(ninety)},
        "may_be_a_copy": bool(copied),
    }


def _judged(
    voice: Any, critics: Discriminators | None, note: Note, sounds: Sounds
) -> tuple[dict[str, Any] | None, dict[str, tuple[np.ndarray, CriticsMap]]]:
    """What the critics hear in sounds of one note; none without critics."""
    if critics is None:
        return None, {}
    played, label = gesture_of(note, voice.pitched), voice.instruments.index(note.instrument)
    maps = {name: (sound, critics_map(critics, sound, played, label)) for name, sound in sounds.items()}
    return {name: in_json(found) for name, (_, found) in maps.items()}, maps


# ---- a recording -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorded:
    """A recording from its onset, (samples,) at the level of what the voice makes of it: a note of a label, (samples,)
    made."""

    audio: np.ndarray
    label: str
    note: Note
    w: Tensor
    made: np.ndarray


def recorded(voice: Any, path: Path) -> Recorded:
    """A recording of one note, and what a voice plays in its place."""
    listener = voice.able(Encodes, "listen to a recording")
    w = heard(listener, path)
    said = parse_name(path.stem)
    hint = None if said.several else said.pitch
    one = one_note(read_audio(path, max_seconds=LONGEST), path.name, hint=hint)
    audio = one.audio[find_onset(one.audio) :]
    held = min(max(len(audio) / SAMPLE_RATE - 0.3, 0.2), 6.0)
    label = listener.nearest(w)
    note = Note(one.pitch if voice.pitched else 60.0, held, 100, label)
    (made,) = voice.notes([note], w=w.unsqueeze(0))
    level = np.float32(np.sqrt((np.square(made).mean() + 1e-12) / (np.square(audio[: len(made)]).mean() + 1e-12)))
    return Recorded(audio * level, label, note, w, made)


def recording_explained(
    voice: Any, path: Path, controls: Controls | None, index: Index | None, critics: Discriminators | None = None
) -> Explained:
    """Where a recording of one note lies, what the voice makes of it, what it cannot say, and what the critics hear in
    both."""
    it = recorded(voice, path)
    audio, label, note, w, made = it.audio, it.label, it.note, it.w, it.made
    size = min(len(audio), len(made))
    apart = levels_of(made[:size]) - levels_of(audio[:size])
    facts: dict[str, Any] = {"of": "recording", "voice": voice.info.name, "recording": path.name}
    facts["note"] = _note(voice, note)
    facts["traits"] = _traits(voice, label, w, controls)
    facts["made_of_it"] = {"places": list(places()), "voice_minus_recording_db": _rounded(apart)}
    facts["made_of_it"]["log_mel_distance_db"] = _round(mel_distance(made[:size], audio[:size]))
    facts["cannot_say"] = _cannot_say(apart)
    facts |= _near(index, audio)
    sounds = {path.name: audio, f"as {label}": made}
    facts["critics"], maps = _judged(voice, critics, note, sounds)
    return Explained(facts, {"The recording, and what the voice makes of it": sounds}, maps)


def _cannot_say(apart: np.ndarray) -> list[str]:
    """Where the voice's version differs by 6 dB or more, in words."""
    names = places()
    return [f"{names[i]}: {apart[i]:+.0f} dB" for i in range(1, len(names)) if abs(apart[i]) >= 6]


def _round(x: float) -> float:
    return round(float(x), 3)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in values]
