"""What the ear makes of labels that names and headers claim: octaves, misnamed notes, unknown pitches, and whether
counted files are layers or round robins. What the ear contradicts is used as it is heard, with a remark."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from antiphon.audio.files import SAMPLE_RATE, read_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.units import midi_to_hz
from antiphon.data.analysis.comb import comb
from antiphon.data.analysis.ear import CLEAR, NEAR, explains, heard_pitch, octave_of, weigh
from antiphon.data.analysis.tracker import LISTEN_SECONDS, SKIP_SECONDS, Tracker
from antiphon.data.labelling.names import Said
from antiphon.data.labelling.row import DEFAULT_VELOCITY, DOUBTED, Row, note_name

MOST_TOLD = 12  # remarks about single files
_SHIFTS = (0, 12, -12, 24, -24)
_ENOUGH_PAIRS, _IN_ORDER, _APART_DB = 6, 0.8, 2.0
_SAMPLE = 12  # files of an instrument by which its mapping is checked
_MOMENT = 0.4  # seconds that tell whether a name is right
_FEW_OCTAVES, _MANY_OCTAVES = 8, 24  # names of an instrument that are off by as many, usually none
_ON_COMB = 0.9  # share of the energy that has to lie where a name says
_LOUD = 0.1  # seconds over which a level is taken


@dataclass(frozen=True)
class Heard:
    """What is heard of one file. level: dB of its loudest 0.1 s. pitch: what the tracker is sure of."""

    level: float
    pitch: float | None = None


@dataclass
class Findings:
    """Rows with what was heard, and remarks on the folder."""

    rows: list[Row]
    remarks: list[str] = field(default_factory=list)


def listen(path: Path, tracker: Tracker | None) -> Heard | None:
    """The beginning of one file; None if it cannot be read."""
    try:
        sound = read_audio(path, max_seconds=LISTEN_SECONDS)
    except (AntiphonError, OSError):
        return None
    return Heard(_level(sound), tracker.pitch(sound, SAMPLE_RATE) if tracker else None)


class Ear:
    """What is heard of a folder's files one after another, each read once. Most names are right. So the tracker hears
    less than half a second of a sound, and LISTEN_SECONDS only where that does not agree with the name; and once it has
    agreed with many names of an instrument, the others need only have their partials where the name says."""

    def __init__(self, tracker: Tracker | None):
        self.tracker = tracker
        self.heard: dict[Path, Heard | None] = {}
        self._octaves: dict[str, Counter[int | None]] = defaultdict(Counter)  # an instrument's names are off by

    def hear(self, row: Row) -> None:
        """Read and listen to a file, unless it has been heard; None is noted if it cannot be read."""
        if row.path not in self.heard:
            try:
                self.listen(row, read_audio(row.path, max_seconds=LISTEN_SECONDS))
            except (AntiphonError, OSError):
                self.heard[row.path] = None

    def listen(self, row: Row, sound: np.ndarray) -> Heard:
        """Of a file's beginning (samples,); noted as `heard`."""
        sound = sound[: round(LISTEN_SECONDS * SAMPLE_RATE)]
        pitch = self._at_once(self.tracker, row, row.pitch, sound) if self.tracker and row.pitch is not None else None
        if pitch is None and self.tracker:
            pitch = self.tracker.pitch(sound, SAMPLE_RATE)
            self._note(row, pitch)
        self.heard[row.path] = found = Heard(_level(sound), pitch)
        return found

    def _note(self, row: Row, pitch: float | None) -> None:
        if pitch is not None and row.pitch is not None:
            octaves = round((pitch - row.pitch) / 12) * 12
            self._octaves[row.instrument][None if _differs(row.pitch, pitch) else octaves] += 1

    def _at_once(self, tracker: Tracker, row: Row, named: float, sound: np.ndarray) -> float | None:
        """The pitch of a moment of the sound, if it is the one that the name says, or the name and the octaves by which
        this instrument's names have been off so far."""
        level = np.abs(sound)
        moment = sound[int(np.argmax(level > 0.3 * level.max(initial=0.0))) + round(SKIP_SECONDS * SAMPLE_RATE) :]
        (usual, count), *_ = self._octaves[row.instrument].most_common(1) or [(None, 0)]
        usual = usual if count >= _FEW_OCTAVES else None
        if usual is not None and count >= max(_MANY_OCTAVES, 0.9 * self._octaves[row.instrument].total()):
            claim = named + usual
            teeth = comb(float(midi_to_hz(claim)))
            if len(moment) >= teeth.size and teeth.fits(moment, _ON_COMB):
                return claim
        pitch = tracker.pitch(moment[: round(_MOMENT * SAMPLE_RATE)], SAMPLE_RATE)
        agrees = pitch is not None and any(abs(pitch - named - octaves) < NEAR for octaves in {0, usual or 0})
        if agrees:
            self._note(row, pitch)
        return pitch if agrees else None


def _level(sound: np.ndarray) -> float:
    starts = np.arange(0, len(sound), round(_LOUD * SAMPLE_RATE) // 2)
    if not len(starts):
        return -160.0
    energy = np.append(np.add.reduceat(np.square(sound, dtype=np.float64), starts), 0.0)
    count = np.diff(np.append(starts, [len(sound), len(sound)]))
    power = (energy[:-1] + energy[1:]) / (count[:-1] + count[1:])  # two halves, of which the last may be alone
    return 10 * float(np.log10(power.max() + 1e-16))


# ---- pitch -----------------------------------------------------------------------------------------------------------


def with_pitches(rows: Sequence[Row], heard: dict[Path, Heard | None], said: dict[Path, Said]) -> Findings:
    """The rows of notes with their final pitches. What a mapping or a table says is not doubted."""
    found = Findings([])
    shifts = _octaves(rows, heard, said, found.remarks)
    rows = _keys_or_counts(rows, heard)
    distrusted = _hard_to_hear(rows, heard)
    told: list[str] = []
    for row in rows:
        if _trusted(row):
            found.rows.append(row)
            continue
        judged = _judge(row, heard[row.path], shifts.get(row.path, 0), distrusted)
        found.rows.append(judged)
        if judged.remark:
            told.append(judged.remark)
    found.remarks += told[:MOST_TOLD]
    if len(told) > MOST_TOLD:
        found.remarks.append(f"and {len(told) - MOST_TOLD} more files with such remarks: --json lists them")
    return found


def _trusted(row: Row) -> bool:
    return row.source not in DOUBTED


def _octaves(
    rows: Sequence[Row], heard: dict[Path, Heard | None], said: dict[Path, Said], remarks: list[str]
) -> dict[Path, int]:
    """By how many semitones each name's octave is off, settled by the ear an instrument at a time; the folder decides
    for such as have too few notes."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not _trusted(row) and row.pitch is not None:
            groups[row.instrument].append(row)
    every = [row for group in groups.values() for row in group]
    common = _vote([(row.pitch, heard[row.path]) for row in every])
    shifts: dict[Path, int] = {}
    for instrument, group in groups.items():
        own = _vote([(row.pitch, heard[row.path]) for row in group])
        shift = own if own is not None else common or 0
        shifts |= dict.fromkeys((row.path for row in group), shift)
        moved = Counter((said[row.path].shift if row.path in said else 0) + shift for row in group).most_common(1)[0][0]
        if moved:
            octaves = {12: "an octave", 24: "two octaves"}.get(abs(moved), f"{abs(moved)} semitones")
            by = "by ear" if own is not None or common else "to the instrument's range; listen to one to be sure"
            what = f"names of {instrument!r}" if len(groups) > 1 else "names"
            remarks.append(f"{what} are {octaves} too {'low' if moved > 0 else 'high'} (C4 is 60 here): corrected {by}")
    return shifts


def _vote(pairs: Sequence[tuple[float | None, Heard | None]]) -> int | None:
    """The octaves by which most names are off from what is heard; None if too little is heard to tell."""
    distances = [
        heard.pitch - named
        for named, heard in pairs
        if named is not None
        and heard is not None
        and heard.pitch is not None
        and CLEAR[0] - 5 <= heard.pitch <= CLEAR[1]
    ]
    votes = Counter(round(d / 12) * 12 for d in distances if abs(d - 12 * round(d / 12)) < 1)
    winner, count = votes.most_common(1)[0] if votes else (0, 0)
    return winner if winner in _SHIFTS and count >= max(3, 0.6 * len(distances)) else None


def _differs(named: float, heard: float) -> bool:
    """Whether two pitches differ otherwise than by octaves, which a tracker confuses."""
    return abs((heard - named + 6) % 12 - 6) > NEAR


def _keys_or_counts(rows: Sequence[Row], heard: dict[Path, Heard | None]) -> list[Row]:
    """Numbers that are heard to be wrong in less than half of an instrument's files are keys, as good as notes' names:
    where many files count, the tracker hears many; of bells it hears few, and those wrong."""
    wrong: dict[str, list[bool]] = defaultdict(list)
    numbered = ("number", "index")
    for row in rows:
        if row.pitch is not None and row.source in numbered:
            found = heard.get(row.path)
            wrong[row.instrument].append(bool(found and found.pitch is not None and _differs(row.pitch, found.pitch)))
    keys = {name for name, each in wrong.items() if len(each) >= 3 and 2 * sum(each) < len(each)}
    return [replace(row, source="name") if row.source in numbered and row.instrument in keys else row for row in rows]


def _hard_to_hear(rows: Sequence[Row], heard: dict[Path, Heard | None]) -> set[str]:
    """Instruments (bells, drums) whose names and tracked pitches disagree too often for the tracker to be right."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        found = heard.get(row.path)
        if row.pitch is not None and found and found.pitch is not None and row.source not in ("number", "index"):
            counts[row.instrument].append(_differs(row.pitch, found.pitch))
    return {name for name, wrong in counts.items() if sum(wrong) > max(1, len(wrong) // 4)}


def _judge(row: Row, heard: Heard | None, shift: int, distrusted: set[str]) -> Row:
    """The row with its final pitch."""
    tracked = heard.pitch if heard else None
    if row.pitch is None:
        return _unnamed(row, tracked)
    claim = row.pitch + shift
    sure = "name" if row.source == "number" else row.source
    kept = replace(row, pitch=claim, source=sure)
    if tracked is None or abs(tracked - claim) < NEAR or not 0 <= claim <= 127:
        return kept
    if row.source in ("number", "index") and _differs(claim, tracked):  # the number counted something else
        return replace(row, pitch=round(tracked, 2), source="tracker")
    if row.instrument in distrusted:
        return kept
    sound = read_audio(row.path, max_seconds=LISTEN_SECONDS)
    verdict = weigh(sound, claim, tracked)
    if verdict.agrees:
        return kept
    names = f"{row.path.name}: it sounds like {note_name(round(tracked))}"
    if verdict.moved:
        remark = f"{names}, which is used, not {note_name(claim)} as its {_said_by(row)} says"
        return replace(row, pitch=float(round(verdict.pitch)), source="tracker", remark=remark)
    return replace(kept, remark=f"{names}, but {note_name(claim)} is used, as its {_said_by(row)} says")


def _said_by(row: Row) -> str:
    return {"chunk": "header", "folder": "folder"}.get(row.source, "name")


def _unnamed(row: Row, tracked: float | None) -> Row:
    """A note whose name says nothing: what the tracker hears, or else the whole ear."""
    if tracked is None:
        try:
            sound = read_audio(row.path, max_seconds=LISTEN_SECONDS)
            tracked = heard_pitch(sound, row.path.name, None, firm=True)
            if tracked is None or not explains(sound, tracked):
                return row
        except AntiphonError:
            return row
    elif tracked > CLEAR[1] - 1:
        tracked = octave_of(read_audio(row.path, max_seconds=LISTEN_SECONDS), tracked)
    return replace(row, pitch=round(tracked, 2), source="tracker")


def doubted_mappings(rows: Sequence[Row], tracker: Tracker) -> list[str]:
    """Remarks on instruments that sound other octaves than their sampler's mapping says, by a few of their files."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.source not in (*DOUBTED, "sidecar", "tracker"):
            groups[row.instrument].append(row)
    remarks = []
    for instrument, group in groups.items():
        chosen = sorted(group, key=lambda row: row.pitch or 0.0)[:: max(len(group) // _SAMPLE, 1)][:_SAMPLE]
        shift = _vote([(row.pitch, listen(row.path, tracker)) for row in chosen])
        if shift:
            where = "higher" if shift > 0 else "lower"
            remarks.append(f"{instrument!r} sounds {abs(shift)} semitones {where} than its mapping says, which is used")
    return remarks


# ---- layers ----------------------------------------------------------------------------------------------------------


def with_layers(rows: Sequence[Row], heard: Callable[[Path], Heard | None], said: dict[Path, Said]) -> Findings:
    """The rows with velocities as the levels tell them: counters that count no layers count round robins, and layers
    that are numbered from loud to soft are turned round."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.velocity_source == "name" and row.path in said:
            groups[str(row.path.parent), row.role, said[row.path].like].append(i)
    result = Findings(list(rows))
    for group in groups.values():
        guessed = any(said[rows[i].path].guessed for i in group)
        if not guessed and not any(re.search(r"\d", rows[i].path.stem) for i in group):
            continue
        order = _in_order([rows[i] for i in group], heard, said)
        for i in group:
            result.rows[i] = _ordered(rows[i], order, said[rows[i].path])
        if order is not None and order < 1 - _IN_ORDER:
            name = rows[group[0]].path.name
            result.remarks.append(
                f"{name} and files like it: their layers are numbered from loud to soft, judging by their levels"
            )
    return result


def _in_order(rows: Sequence[Row], heard: Callable[[Path], Heard | None], said: dict[Path, Said]) -> float | None:
    """The share of pairs of one pitch whose levels rise with their velocities; None if too few, or all alike."""
    alike: dict[float | None, list[Row]] = defaultdict(list)
    for row in rows:
        alike[said[row.path].pitch].append(row)
    right, apart = [], []
    for group in alike.values():
        for one, other in combinations(sorted(group, key=lambda row: row.velocity)[:24], 2):
            if one.velocity < other.velocity and (a := heard(one.path)) and (b := heard(other.path)):
                right.append(b.level > a.level)
                apart.append(abs(b.level - a.level))
    few = len(right) < min(_ENOUGH_PAIRS, max(len(rows) // 2, 1))
    return None if few or np.mean(apart) < _APART_DB else float(np.mean(right))


def _ordered(row: Row, order: float | None, said: Said) -> Row:
    if order is not None and order < 1 - _IN_ORDER:
        return replace(row, velocity=max(1, 128 - row.velocity))
    if said.guessed and (order is None or order < _IN_ORDER):
        return replace(row, velocity=DEFAULT_VELOCITY, velocity_source="", round_robin=row.round_robin or said.counter)
    return row
