"""From a folder of sounds to a list of labelled notes.

Labels come, in this order, from a sidecar (notes.csv, or NSynth's examples.json), the folders' names, the files' names
and, if the pitch is still unknown, a pitch tracker. The tracker also checks the pitches that names claim.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.audio.files import check_sound, find_audio, probe, read_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.tracker import Tracker, open_tracker
from antiphon.data.labelling import gm, labels
from antiphon.data.labelling.drums import AS_RECORDED
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.data.labelling.row import DEFAULT_VELOCITY, EXTRA, PITCHLESS, UNNAMED, Manifest, Refused, Row, note_name

SPLITS = ("train", "valid", "block", "preset", EXTRA)
VALID_FRACTION = 0.06
_ENOUGH = 24  # notes an instrument needs before any is held out
_SHORTEST = 0.03  # seconds
MOST_STYLES = 32  # of a note
UNHEARD = {"yes": 1.0, "auto": 0.5, "no": 0.0}  # share of unknown pitches above which none is used
_FEW = 3  # sounds without a pitch that must share a name to make it a label
_LONGEST_LINE = 1 << 16  # characters of a table's first line


def scan(
    folder: str | Path,
    *,
    track: bool | None = None,
    check: bool = False,
    seed: int = 0,
    one_shots: bool = False,
    pitch: str = "yes",
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Finds and labels every recording under `folder`.

    track: whether to estimate pitches with the tracker: True requires it (extra `antiphon[pitch]`), False forbids it,
    None uses it if it is installed. A sidecar's pitches are trusted. check: also read every file to its end, to refuse
    silence, NaN and damage here (preparing does so in any case). one_shots: drums and the like, which have names and no
    pitch (data/labelling/hits.py). pitch: whether every sound must have one: "yes": those whose pitch is unknown are
    refused; "auto": they are, unless they are the majority; "no": they never are. If they are not refused, nothing in
    the folder has a pitch. `progress(done, total)` is called as files are opened. Raises AntiphonError for a missing
    folder, one without sounds, or a broken sidecar."""
    root = Path(folder)
    if pitch not in UNHEARD:
        raise AntiphonError(f"pitch={pitch} is not an option: use {', '.join(UNHEARD)}")
    if not root.is_dir():
        raise AntiphonError(f"{root} is not a folder: give a folder of sound files")
    if one_shots:
        from antiphon.data.labelling.hits import as_hit
    sidecars = _sidecars(root)
    refused: list[Refused] = []
    remarks: list[str] = []
    if sidecars:
        listed = _from_sidecars(sidecars)
        remarks.append(f"labels from {', '.join(str(p.relative_to(root)) for p in sidecars[:3])}")
        forgotten = len(set(find_audio(root)) - {row.path for row, _ in listed})
        if forgotten:
            remarks.append(f"sound files left out because no table lists them: {forgotten}")
    else:
        listed = _uncounted([_from_names(root, path) for path in find_audio(root)])
    if not listed:
        raise AntiphonError(f"{root} contains no sound files: add some (wav, flac, ogg, opus, mp3, aiff, caf)")
    rows: list[Row] = []
    for number, (row, why) in enumerate(listed, 1):
        if one_shots:
            row, why = as_hit(row, root, listed=bool(sidecars))
        why = why or _unreadable(row.path, check)
        if why:
            refused.append(Refused(row.path, why))
        else:
            rows.append(row)
        if progress:
            progress(number, len(listed))
    found = Manifest(root, rows, refused, remarks, one_shots, pitched=not one_shots)
    if not one_shots:
        heard = _heard(found, False if pitch == "no" else track)
        unknown = [row.path for row in heard.rows if row.pitch is None]
        if len(unknown) > UNHEARD[pitch] * len(rows):
            found = replace(found, rows=_unpitched(rows, listed=bool(sidecars)), pitched=False)
            remarks.append(f"the pitch of {len(unknown)} of {len(rows)} sounds is unknown: all are used without pitch")
        else:
            pitched = [row for row in heard.rows if row.pitch is not None]
            found = replace(heard, rows=pitched, refused=heard.refused + [Refused(path, PITCHLESS) for path in unknown])
    rows = _with_splits(found.rows, seed, explicit=bool(sidecars))
    return replace(found, rows=rows, refused=sorted(found.refused, key=lambda r: r.path))


def _unpitched(rows: list[Row], listed: bool) -> list[Row]:
    """Rows without pitch. A name shared by fewer than three sounds is not a label, unless a table gives it."""
    rows = [replace(row, pitch=AS_RECORDED, source="sidecar" if listed else "names") for row in rows]
    count = Counter(row.instrument for row in rows)
    return [
        row if listed or count[row.instrument] >= _FEW else replace(row, instrument=UNNAMED, preset=UNNAMED)
        for row in rows
    ]


def _unreadable(path: Path, check: bool) -> str | None:
    try:
        header = probe(path)
        if check:
            check_sound(read_audio(path), path, shortest=_SHORTEST)
    except AntiphonError as error:
        return str(error).removeprefix(str(path)).strip()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return f"is too short: {header.frames} samples" if header.seconds < _SHORTEST else None


# --- sidecars -----------------------------------------------------------------------------------------------------


def _sidecars(root: Path) -> list[Path]:
    """The tables that label a folder: at its top, else one in each of its folders."""
    for name in ("notes.csv", "examples.json"):
        if (root / name).is_file():
            return [root / name]
    tables = [path for path in sorted(root.glob("*.csv")) if path.is_file() and _is_table(path)]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise AntiphonError(f"{root} has several tables ({names}): name the right one notes.csv")
    return tables or sorted(
        path for name in ("notes.csv", "examples.json") for path in root.rglob(name) if path.is_file()
    )


def _is_table(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return "path" in [cell.strip().lower() for cell in file.readline(_LONGEST_LINE).split(",")]


def _from_sidecars(paths: Iterable[Path]) -> list[tuple[Row, str | None]]:
    listed: list[tuple[Row, str | None]] = []
    for path in paths:
        try:
            listed += _from_json(path) if path.suffix == ".json" else _from_csv(path)
        except (OSError, ValueError, TypeError, csv.Error, RecursionError) as error:
            raise AntiphonError(f"cannot read the table {path}: {str(error)[:200]}") from None
    return listed


def _from_csv(path: Path) -> list[tuple[Row, str | None]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        if "path" not in reader.fieldnames:
            raise AntiphonError(f"{path} has no column 'path' in its first line (path,pitch,instrument,...)")
        return [_from_record(path, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]


def _from_record(table: Path, record: dict[str, str]) -> tuple[Row, str | None]:
    """A row of a sidecar; whatever it omits comes from the names."""
    path = table.parent / _plain(record["path"])
    if ".." in path.parts or not path.is_relative_to(table.parent):
        outside = Row(path, None, UNNAMED, UNNAMED)
        return outside, f"it is outside the folder of {table.name}: give paths within {table.parent}"
    named, why = _from_names(table.parent, path)
    try:
        pitch = labels.parse_pitch(record["pitch"]) if record.get("pitch") else named.pitch
        velocity = int(float(record.get("velocity") or named.velocity))
        seconds = float(record["seconds"]) if record.get("seconds") else None
    except (AntiphonError, ValueError, OverflowError) as error:
        return named, f"its line in {table.name} is wrong: {error}"
    split = (record.get("split") or "").lower()
    if split and split not in SPLITS:
        why = f"its split in {table.name} is {split!r}, not one of {', '.join(SPLITS)}"
    elif not 1 <= velocity <= 127:
        why = f"its velocity in {table.name} is {velocity}, not 1..127"
    elif seconds is not None and not 0 < seconds < 3600:
        why = f"its seconds in {table.name} are {seconds}"
    elif record.get("pitch"):
        why = None
    instrument = _plain(record.get("instrument") or named.instrument).lower()
    words = (_plain(word).lower() for word in record.get("style", "").split(";"))
    style = tuple(dict.fromkeys(word for word in words if word)) or named.style
    preset = _plain(record.get("preset") or "") or (instrument if record.get("instrument") else named.preset)
    if len(style) > MOST_STYLES or any(len(name) > LONGEST_LABEL for name in (instrument, preset, *style)):
        why = f"its line in {table.name} has a label of over {LONGEST_LABEL} characters, or over {MOST_STYLES} styles"
    source = "sidecar" if record.get("pitch") else named.source
    return Row(path, pitch, instrument, preset, style, velocity, seconds, source, split), why


def _plain(text: str) -> str:
    """Text that can be written anywhere: no control characters, no lone surrogates."""
    return "".join(c for c in text if c.isprintable()).encode("utf-8", "replace").decode().strip()


_NSYNTH_QUALITIES = {"bright": "bright", "dark": "mellow", "distortion": "driven", "fast_decay": "decaying"}


def _from_json(path: Path) -> list[tuple[Row, str | None]]:
    """NSynth's examples.json: {name: {pitch, velocity, instrument_family_str, instrument_source_str, ...}}."""
    examples = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(examples, dict) or not all(isinstance(value, dict) for value in examples.values()):
        raise AntiphonError(f"{path} is not in NSynth's format: write an object of {{name: {{pitch, velocity, ...}}}}")
    places = {found.stem: found for found in find_audio(path.parent)}
    listed = []
    for name, entry in examples.items():
        found = places.get(name)
        place = str(found.relative_to(path.parent)) if found else f"audio/{name}.wav"
        listed.append(_from_record(path, _nsynth_record(entry) | {"path": place}))
    return listed


def _nsynth_record(entry: dict[str, Any]) -> dict[str, str]:
    words = [str(entry.get("instrument_source_str", ""))]
    qualities = entry.get("qualities_str")
    words += [_NSYNTH_QUALITIES.get(str(q), "") for q in (qualities if isinstance(qualities, list) else [])]
    return {
        "pitch": str(entry.get("pitch", "")),
        "velocity": str(entry.get("velocity", "")),
        "instrument": str(entry.get("instrument_family_str", "")),
        "preset": str(entry.get("instrument_str", "")),
        "style": ";".join({"electronic": "electric", "synthetic": "synth"}.get(word, word) for word in words if word),
    }


# --- names --------------------------------------------------------------------------------------------------------


def _from_names(root: Path, path: Path) -> tuple[Row, str | None]:
    """The labels in the names of a file and of the folders between `root` and it."""
    said = labels.parse_name(path.stem)
    parts = path.relative_to(root).parts[:-1]
    folders = [labels.parse_folder(part) for part in parts]
    known = [name for name, _ in folders if name and (name in gm.PROGRAMS or name in gm.ALIASES)]
    named = [name for name, _ in folders if name]
    called = next(iter(known or named), None) or said.instrument or labels.parse_folder(root.name)[0]
    instrument = _plain(called or "") or UNNAMED
    pitch, source = said.pitch, "name"
    for part in reversed(parts):
        if pitch is None:
            pitch, source = _whole_pitch(part), "folder"
    styles = {style for _, found in folders for style in found} | set(said.style)
    preset = said.preset or (_plain("/".join(parts).lower()) if named else instrument)
    ordered = tuple(style for style in gm.STYLES if style in styles)
    velocity = said.velocity or next((v for p in parts if (v := labels.DYNAMICS.get(p.lower()))), DEFAULT_VELOCITY)
    why = "its name describes several notes: cut it into one file per note" if said.several else None
    if len(instrument) > LONGEST_LABEL:
        why = f"the label in its name has more than {LONGEST_LABEL} characters: shorten it"
    return Row(path, pitch, instrument, preset, ordered, velocity, None, source if said.sure else "number"), why


def _uncounted(listed: list[tuple[Row, str | None]]) -> list[tuple[Row, str | None]]:
    """Drops pitches from names that differ only by a number starting at 0 or 1: such numbers count files."""
    alike: dict[Path, list[list[int]]] = defaultdict(list)
    keys = [row.path.with_name(re.sub(r"\d+", "0", row.path.stem)) for row, _ in listed]
    for key, (row, _) in zip(keys, listed, strict=True):
        alike[key].append([int(number) for number in re.findall(r"\d+", row.path.stem)])
    counted = {
        key: [set(column) for column in zip(*rows, strict=True) if min(column) <= 1] for key, rows in alike.items()
    }
    return [
        (replace(row, pitch=None, source="name"), why)
        if row.source == "number" and any(row.pitch in numbers for numbers in counted[key])
        else (row, why)
        for key, (row, why) in zip(keys, listed, strict=True)
    ]


def _whole_pitch(folder: str) -> float | None:
    try:
        return labels.parse_pitch(folder)
    except AntiphonError:
        return None


# --- listening ----------------------------------------------------------------------------------------------------


def _heard(found: Manifest, track: bool | None) -> Manifest:
    """Fills in unknown pitches with the tracker and checks the claimed ones; contradicted ones are refused."""
    rows, refused, remarks = found.rows, list(found.refused), list(found.remarks)
    doubtful = [row for row in rows if row.source != "sidecar"]
    tracker = None if track is False or not doubtful else open_tracker(demand=track is True)
    if tracker is None:
        if any(row.pitch is None for row in doubtful):
            remarks.append("some pitches are unknown: to detect them, pip install 'antiphon[pitch]'")
        rows = [replace(row, source="name") if row.source == "number" else row for row in rows]
        return replace(found, rows=rows, remarks=remarks)
    heard = {row.path: _listen(tracker, row.path) for row in doubtful}
    shift = _octave_shift([(row.pitch, heard[row.path]) for row in doubtful])
    if shift:
        remarks.append(f"names are an octave too {'low' if shift > 0 else 'high'} (C4 is 60 here): corrected")
    distrusted = _hard_to_hear(doubtful, heard)
    result = []
    for row in rows:
        judged: Row | str = row if row.source == "sidecar" else _judge(row, heard[row.path], shift, distrusted)
        if isinstance(judged, str):
            refused.append(Refused(row.path, judged))
        else:
            result.append(judged)
    return replace(found, rows=result, refused=refused, remarks=remarks)


def _listen(tracker: Tracker, path: Path) -> float | None:
    try:
        return tracker.pitch_of_file(path)
    except AntiphonError:
        return None


def _octave_shift(pairs: list[tuple[float | None, float | None]]) -> int:
    """12 or -12 if most of a folder's names are off by that octave from the pitches heard, else 0."""
    distances = [heard - named for named, heard in pairs if named is not None and heard is not None]
    votes = Counter(12 * round(d / 12) for d in distances if abs(d - 12 * round(d / 12)) < 1)
    winner, count = votes.most_common(1)[0] if votes else (0, 0)
    return winner if abs(winner) == 12 and count >= max(3, 0.6 * len(distances)) else 0


def _differs(named: float, heard: float) -> bool:
    """Whether two pitches differ by other than octaves, which trackers confuse."""
    return abs((heard - named + 6) % 12 - 6) > 0.8


def _hard_to_hear(rows: list[Row], heard: dict[Path, float | None]) -> set[str]:
    """Instruments (bells, drums) whose names and tracked pitches disagree too often for the tracker to be right."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        found = heard[row.path]
        if row.pitch is not None and found is not None and row.source != "number":
            counts[row.instrument].append(_differs(row.pitch, found))
    return {name for name, wrong in counts.items() if sum(wrong) > max(1, len(wrong) // 4)}


def _judge(row: Row, heard: float | None, shift: int, distrusted: set[str]) -> Row | str:
    """The row with its final pitch, or why it is refused."""
    if row.pitch is None:
        return replace(row, pitch=round(heard, 2), source="tracker") if heard is not None else row
    named = row.pitch + shift
    if heard is not None and row.instrument not in distrusted and _differs(named, heard):
        if row.source == "number":  # the number counts something else
            return replace(row, pitch=round(heard, 2), source="tracker")
        return f"its name says {note_name(named)}, but it sounds like {note_name(heard)}"
    return replace(row, pitch=named, source="name" if row.source == "number" else row.source)


# --- splits -------------------------------------------------------------------------------------------------------


def _with_splits(rows: list[Row], seed: int, *, explicit: bool) -> list[Row]:
    """Keeps the sidecar's splits; other notes are held out by a hash of the recording, if an instrument has many."""
    if explicit and any(row.split for row in rows):
        return [replace(row, split=row.split or "train") for row in rows]
    many = {name for name, count in Counter(row.instrument for row in rows).items() if count >= _ENOUGH}
    chosen = []
    for row in rows:
        key = f"{seed}/{row.preset}/{row.path.stem}".encode(errors="surrogateescape")
        held_out = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") < VALID_FRACTION * 2**64
        chosen.append(replace(row, split="valid" if held_out and row.instrument in many else "train"))
    return chosen
