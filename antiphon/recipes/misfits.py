"""Sounds that are not what a method takes them for, or too few of them: noticed before training and not after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling import labels
from antiphon.data.labelling.hits import A_NOTE, drum_told
from antiphon.data.labelling.row import PITCHLESS, Manifest, Row, note_name

if TYPE_CHECKING:
    from antiphon.data.prepared import Prepared


def check_sort(manifest: Manifest) -> None:
    """Raises AntiphonError, naming the right recipe, if most files of a folder that was scanned for hits are notes, or
    most of one scanned for notes are named like drums."""
    half, folder = (len(manifest.rows) + len(manifest.refused)) / 2, manifest.folder
    if manifest.one_shots:
        if sum(item.reason == A_NOTE for item in manifest.refused) > half:
            raise AntiphonError(f"most sounds in {folder} are notes, by their names or table: use --recipe instrument")
    elif manifest.pitched:
        doubtful = [item.path for item in manifest.refused if item.reason == PITCHLESS]
        doubtful += [row.path for row in manifest.rows if not _claimed(row)]
        inside = [path.relative_to(folder) for path in doubtful if path.is_relative_to(folder)]
        if sum(drum_told(path) is not None for path in inside) > half:
            raise AntiphonError(f"most sounds in {folder} are drums, not notes, by their names: use --recipe drums")


def _claimed(row: Row) -> bool:
    """Whether the folder states a note's pitch, so that it was not guessed."""
    said = labels.parse_name(row.path.stem)
    return row.source in ("sidecar", "folder") or (said.pitch is not None and said.sure)


def misfits(data: Prepared, samples: int = 0) -> list[str]:
    """What a voice of these sounds will lack, one line for each reason. samples: length of what is learned from at a
    time."""
    chosen = data.where("train")
    if not len(chosen):
        return []
    found = []
    names = {data.labels.instruments[i] for i in data.instrument[chosen].tolist()}
    pitches = {round(pitch) for pitch in data.pitch[chosen].tolist()}
    if len(chosen) == 1:
        found.append("there is one sound to learn from: the voice will repeat it, or do worse; give more sounds")
    elif data.labels.one_shots and len(names) == 1:
        found.append(f"all of these hits are of one drum, {names.pop()}: the voice will have no others")
    elif data.labels.pitched and len(pitches) == 1:
        found.append(f"all of these notes are {note_name(pitches.pop())}: other pitches will be guesses, if any")
    usual = float(data.start.diff()[chosen].float().median())
    if usual < samples / 4 and not data.labels.one_shots:  # a hit is short and followed by silence
        found.append(
            f"half of these sounds are shorter than {usual / SAMPLE_RATE:.2f} s, but the recipe learns from "
            f"{samples / SAMPLE_RATE:.2f} s at a time: most of that will be silence; give longer sounds"
        )
    return found
