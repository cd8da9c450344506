"""Variety inside a label: are a voice's imagined instruments as different from each other as real ones are?"""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.audio.mel import cut_tail, fit_length
from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.gm import family_of, program_of
from antiphon.data.prepared import Prepared
from antiphon.metrics.bootstrap import mean_margin
from antiphon.metrics.embeddings import Embedding
from antiphon.metrics.gaussians import LabelGaussians
from antiphon.metrics.neighbours import spread
from antiphon.metrics.prdc import prdc
from antiphon.metrics.renderers import play
from antiphon.metrics.sounds import Sounds

PRESETS = 6  # fewest presets of a label
CENTRES = (48.0, 60.0, 72.0)  # MIDI pitches at which presets are compared
REACH = 3.0  # semitones by which a preset's nearest note may differ
VELOCITY = 90.0
K = 3


def groups(prepared: Prepared) -> dict[str, np.ndarray]:
    """Labels with enough presets and the presets' indices: instruments, or families if fewer than three have."""
    owner = np.array(prepared.labels.preset_instrument)
    names = np.array([prepared.labels.instruments[index] for index in owner])
    found = {str(name): np.flatnonzero(names == name) for name in np.unique(names)}
    kept = {name: presets for name, presets in found.items() if len(presets) >= PRESETS}
    if len(kept) >= 3:
        return kept
    families = np.array([_family(str(name)) for name in names])
    found = {str(name): np.flatnonzero(families == name) for name in np.unique(families) if name}
    known = [set(presets) for presets in kept.values()]
    large = {name: presets for name, presets in found.items() if len(presets) >= PRESETS and set(presets) not in known}
    return kept | {f"{name} (family)": presets for name, presets in large.items()}


def _family(instrument: str) -> str:
    try:
        return family_of(program_of(instrument))
    except AntiphonError:
        return ""


def preset_notes(prepared: Prepared, presets: np.ndarray, centre: float) -> list[tuple[int, int]]:
    """For each preset in range, its note nearest to `centre` and VELOCITY, and the next nearest."""
    pitch, velocity = prepared.pitch.numpy(), prepared.velocity.numpy()
    chosen = []
    for preset in presets:
        notes = np.flatnonzero((prepared.preset.numpy() == preset) & (np.abs(pitch - centre) <= REACH))
        if len(notes) >= 2:
            away = np.abs(pitch[notes] - centre) + np.abs(velocity[notes] - VELOCITY) / 20
            best = notes[np.argsort(away, kind="stable")[:2]]
            chosen.append((int(best[0]), int(best[1])))
    return chosen


def variety(voice: Any, gaussians: LabelGaussians | None, sounds: Sounds, embedding: Embedding) -> dict[str, Any]:
    """Precision, coverage (k = 3) and spread (over the real spread) at fixed pitch, means over labels and pitches.

    `real again` is another note of each preset, shifted to the pitch: what a perfect voice could be expected to reach.
    """
    rows: dict[str, list[dict[str, float]]] = {"real again": [], "imagined": [], "gaussian": []}
    labels: dict[str, int] = {}
    for name, presets in groups(sounds.prepared).items():
        for centre in CENTRES:
            pairs = preset_notes(sounds.prepared, presets, centre)
            if len(pairs) < PRESETS:
                continue
            labels[name] = max(labels.get(name, 0), len(pairs))
            for kind, figures in _compare(voice, gaussians, sounds, embedding, pairs).items():
                rows[kind].append(figures)
    means = {kind: _means(parts) for kind, parts in rows.items() if parts}
    return {"labels": labels, "sets": len(rows["imagined"]), "rows": means}


def _means(parts: list[dict[str, float]]) -> dict[str, Any]:
    columns = {key: np.array([part[key] for part in parts]) for key in parts[0]}
    means = {key: float(values.mean()) for key, values in columns.items()}
    return means | {"margins": {key: mean_margin(values) for key, values in columns.items()}}


def _compare(
    voice: Any, gaussians: LabelGaussians | None, sounds: Sounds, embedding: Embedding, pairs: list[tuple[int, int]]
) -> dict[str, dict[str, float]]:
    """One label at one pitch: each real note against an imagined one of its pitch, velocity and hold."""
    first = [index for index, _ in pairs]
    notes = [sounds.note(index, seed=1_000 + at) for at, index in enumerate(first)]
    labels = sounds.prepared.instrument.numpy()[first]
    reals = [sounds.real(index) for index in first]
    sets = {
        "real again": [sounds.shifted(index, note.pitch) for (_, index), note in zip(pairs, notes, strict=True)],
        "imagined": play(voice, notes),
    }
    if gaussians:
        vectors = np.stack([gaussians.draw(int(label), 1_000 + at) for at, label in enumerate(labels)])
        sets["gaussian"] = play(voice, notes, vectors)
    real = embedding(reals)
    out = {}
    for kind, played in sets.items():
        clean = [cut_tail(np.nan_to_num(np.asarray(sound, np.float32))) for sound in played]
        features = embedding([fit_length(sound, len(target)) for sound, target in zip(clean, reals, strict=True)])
        figures = prdc(real, features, k=K)
        out[kind] = {
            **{key: figures[key] for key in ("precision", "coverage")},
            "spread": spread(features) / spread(real),
        }
    return out
