"""From a folder of sounds to a list of labelled notes.

Labels come from the best source there is: a table made for it (notes.csv, or NSynth's examples.json), a sampler's
mapping beside the sounds [labelling/sources], the files' own headers, their names and folders, read together, and
where the pitch is still unknown, the ear [labelling/listening.py], which also corrects what names claim.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.audio.files import Probe, check_sound, find_audio, probe, read_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.parallel import in_order
from antiphon.data.analysis.session import holds_several, surely_one
from antiphon.data.analysis.tracker import open_tracker
from antiphon.data.labelling import gm, labels
from antiphon.data.labelling.drums import AS_RECORDED, drum_of
from antiphon.data.labelling.labels import LONGEST_LABEL
from antiphon.data.labelling.listening import Ear, Heard, doubted_mappings, listen, with_layers, with_pitches
from antiphon.data.labelling.names import Said, read_names
from antiphon.data.labelling.ranges import full_name, range_of
from antiphon.data.labelling.row import DEFAULT_VELOCITY, DOUBTED, EXTRA, PITCHLESS, UNNAMED, Manifest, Refused, Row
from antiphon.data.labelling.sources import Label, from_mappings
from antiphon.data.labelling.sources.chunks import from_chunks

SPLITS = ("train", "valid", "block", "preset", EXTRA)
VALID_FRACTION = 0.06
_ENOUGH = 24  # notes an instrument needs before any is held out
_SHORTEST = 0.03  # seconds
MOST_STYLES = 32  # of a note
UNHEARD = {"yes": 1.0, "auto": 0.5, "no": 0.0}  # share of unknown pitches above which none is used
_FEW = 3  # sounds without a pitch that must share a name to make it a label
_LONGEST_LINE = 1 << 16  # characters of a table's first line
LOT = 250  # files of an instrument that are examined one after another
MANY = 500  # files that are worth more processes
_LONG = 5.0  # seconds of a sound from which it might be several notes
Listed = tuple[Row, str | None]  # a row and why it cannot be used


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
    said: dict[Path, Said] = {}
    if sidecars:
        listed = _from_sidecars(sidecars)
        remarks.append(f"labels from {', '.join(str(p.relative_to(root)) for p in sidecars[:3])}")
        forgotten = len(set(find_audio(root)) - {row.path for row, _ in listed})
        if forgotten:
            remarks.append(f"sound files left out because no table lists them: {forgotten}")
    else:
        listed, said, found_remarks = _from_files(root, find_audio(root), one_shots)
        remarks += found_remarks
        listed = _joined(listed)
    if not listed:
        raise AntiphonError(f"{root} contains no sound files: add some (wav, flac, ogg, opus, mp3, aiff, caf)")
    rows: list[Row] = []
    listed = _with_roles(listed, needs_pitch=pitch == "yes" and not one_shots)
    aside = tuple(row for row, _ in listed if row.role != "note")
    listed = [pair for pair in listed if pair[0].role == "note"]
    hears = not one_shots and pitch != "no" and track is not False
    ear = Ear(open_tracker() if hears and any(row.source in DOUBTED for row, _ in listed) else None)
    if one_shots:
        listed = [as_hit(row, root, listed=bool(sidecars)) for row, _ in listed]
    for (row, _), why in zip(listed, _examined(listed, check, None if one_shots else ear, progress), strict=True):
        if why:
            refused.append(Refused(row.path, why))
        else:
            rows.append(row)
    found = Manifest(root, rows, refused, remarks, one_shots, pitched=not one_shots, aside=aside)
    if one_shots:
        found = _heard(found, said, False, ear)
    else:
        heard = _heard(found, said, False if pitch == "no" else track, ear)
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


def _with_roles(listed: list[Listed], *, needs_pitch: bool) -> list[Listed]:
    """Noises are sounds like others where no pitch is needed, and where there is nothing else."""
    alone = all(row.role != "note" for row, _ in listed)
    free = {"noise", "release"} if alone else set() if needs_pitch else {"noise"}
    return [(replace(row, role="note") if row.role in free else row, why) for row, why in listed]


def _examined(
    listed: Sequence[Listed], check: bool, ear: Ear | None, progress: Callable[[int, int], None] | None
) -> list[str | None]:
    """Why each file cannot be used, if it cannot, in order; `ear` has then heard those that are doubted. A lot of one
    instrument's files is examined by itself, and many lots by all processors, so that the answers do not depend on how
    many there are."""
    lots = _lots(listed)
    many = len(listed) >= MANY
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, len(listed))

    def work(number: int) -> tuple[list[str | None], dict[Path, Heard | None]]:
        own, found = Ear(ear.tracker) if ear else None, []
        for at in lots[number]:
            row, why = listed[at]
            why = why or _unusable(row, check, own)
            if own and own.tracker and not why and row.source in DOUBTED:
                own.hear(row)
            found.append(why)
            if not many:
                advance(1)
        return found, own.heard if own else {}

    whys: list[str | None] = [None] * len(listed)
    for lot, (found, heard) in zip(
        lots, in_order(work, len(lots)) if many else map(work, range(len(lots))), strict=True
    ):
        for at, why in zip(lot, found, strict=True):
            whys[at] = why
        if ear:
            ear.heard |= heard
        if many:
            advance(len(lot))
    return whys


def _lots(listed: Sequence[Listed]) -> list[list[int]]:
    """The places in a list of rows of one instrument each, LOT of them at most, in order."""
    lots: dict[tuple[str, int], list[int]] = {}
    counts: Counter[str] = Counter()
    for at, (row, _) in enumerate(listed):
        lots.setdefault((row.instrument, counts[row.instrument] // LOT), []).append(at)
        counts[row.instrument] += 1
    return list(lots.values())


def _unusable(row: Row, check: bool, ear: Ear | None) -> str | None:
    """Why a file cannot be used, if it cannot. check: read it to its end. ear: what listens to it, if it is doubted;
    without one it is a one-shot."""
    try:
        header = probe(row.path)
        doubted = ear is not None and row.source in DOUBTED
        long = doubted and header.seconds > _LONG
        if not check and not long:
            return _too_short(header)
        sound = read_audio(row.path)
        if check:
            check_sound(sound, row.path, shortest=_SHORTEST)
    except AntiphonError as error:
        return str(error).removeprefix(str(row.path)).strip()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if (why := _too_short(header)) or ear is None or not doubted:
        return why
    pitches = {pitch for pitch in (ear.listen(row, sound).pitch, row.pitch) if pitch is not None}
    one = not long or any(surely_one(sound, pitch) for pitch in pitches)
    count = 0 if one else holds_several(sound)
    return f"it contains about {count} notes: `antiphon data cut` splits it into one file per note" if count else None


def _too_short(header: Probe) -> str | None:
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
    row = Row(path, pitch, instrument, preset, style, velocity, seconds, source, split)
    by_table = {name: "sidecar" if record.get(name) else source for name, source in
                (("velocity", named.velocity_source), ("instrument", named.instrument_source))}  # fmt: skip
    return replace(row, velocity_source=by_table["velocity"], instrument_source=by_table["instrument"]), why


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


def _from_files(root: Path, files: Sequence[Path], one_shots: bool) -> tuple[list[Listed], dict[Path, Said], list[str]]:
    """Rows of files that no table lists, from mappings, headers and names, best first; what the names say; remarks."""
    read = read_names([path.relative_to(root) for path in files], root.name or root.absolute().name)
    said = dict(zip(files, read, strict=True))
    mapped, remarks = from_mappings(root, files)
    headed = from_chunks([path for path in files if path not in mapped or mapped[path].pitch is None])
    unpitched = one_shots or _maps_drums(mapped, said)
    listed = []
    for path in files:
        row, why = _from_names(root, path, said[path])
        for label in (headed.get(path), mapped.get(path)):
            row = row if label is None else _labelled(row, label, unpitched)
        listed.append((row, None if row.source != "name" else why))
    counts = Counter(label.source for label in mapped.values())
    for source, count in counts.items():
        remarks.append(f"{count} of {len(files)} files are labelled by a sampler's mapping ({source})")
    return listed, said, remarks


def _maps_drums(mapped: dict[Path, Label], said: dict[Path, Said]) -> bool:
    """Whether mappings put drums on keys, which are no pitches: most of their files tell a drum and no pitch, and there
    are not many keys to each."""
    drums = [said[path].drum for path in mapped if said[path].drum and said[path].pitch is None]
    keys = {label.pitch for label in mapped.values()}
    return 2 * len(drums) > len(mapped) and len(keys) <= 3 * len(set(drums))


def _labelled(row: Row, label: Label, unpitched: bool) -> Row:
    """The row with what a better source says."""
    if label.pitch is not None and not unpitched:
        row = replace(row, pitch=label.pitch, source=label.source)
    if label.velocity is not None:
        row = replace(row, velocity=label.velocity, velocity_source=label.source)
    if label.source != "chunk":
        row = replace(row, role=label.role, round_robin=label.round_robin or row.round_robin)
    drum = drum_of(label.instrument) if label.instrument else None
    return replace(row, instrument=drum, source=label.source, instrument_source=label.source) if drum else row


def _from_names(root: Path, path: Path, said: Said | None = None) -> Listed:
    """What the folders between `root` and a file, and the file's name, say. said: what its name says among its
    siblings'; without it, what it says alone."""
    alone = labels.parse_name(path.stem)
    said = said or Said(alone.pitch, "name" if alone.sure else "number", alone.several, velocity=alone.velocity)
    parts = path.relative_to(root).parts[:-1]
    folders = [labels.parse_folder(part) for part in parts]
    known = [name for name, _ in folders if name and (name in gm.PROGRAMS or name in gm.ALIASES)]
    named = [name for name, _ in folders if name]
    known += [phrase for name in named if (phrase := f"{name} {root.name.lower()}") in gm.ALIASES]
    own = alone.instrument if not said.head else labels.parse_instrument(said.head)
    outer = labels.parse_folder(root.name)[0]
    if not known and said.kind:  # what tells an instrument before what tells none: "string1", "soft", a player
        known = [name for name in (*reversed(named), own, outer) if name and range_of(name)] or [full_name(said.kind)]
    called = next(iter(known or named), None) or own or outer
    instrument = _plain(called or "") or UNNAMED
    pitch, source = said.pitch, said.source
    for part in reversed(parts):
        if pitch is None:
            pitch, source = _whole_pitch(part), "folder"
    source = source if pitch is not None else "name"
    styles = {style for _, found in folders for style in found} | set(alone.style)
    preset = alone.preset or (_plain("/".join(parts).lower()) if named else instrument)
    ordered = tuple(style for style in gm.STYLES if style in styles)
    folder_velocity = next((v for p in parts if (v := labels.DYNAMICS.get(p.lower()))), None)
    velocity = said.velocity or folder_velocity or DEFAULT_VELOCITY
    why = "its name describes several notes: cut it into one file per note" if said.several else None
    if len(instrument) > LONGEST_LABEL:
        why = f"the label in its name has more than {LONGEST_LABEL} characters: shorten it"
    row = Row(
        path, pitch, instrument, preset, ordered, velocity, None, source,
        role="half" if said.half == "right" else said.role, round_robin=said.round_robin, microphone=said.microphone,
        articulation=said.articulation,
        velocity_source="name" if said.velocity else "folder" if folder_velocity else "",
        instrument_source="" if not called else "name" if called in (own, full_name(said.kind)) else "folder",
    )  # fmt: skip
    return row, why


def _whole_pitch(folder: str) -> float | None:
    try:
        return labels.parse_pitch(folder)
    except AntiphonError:
        return None


def _joined(listed: list[Listed]) -> list[Listed]:
    """Left halves know their right ones. What has no other half of its own length is whole: L and R may be hands."""
    names = {row.path: k for k, (row, _) in enumerate(listed)}
    result = list(listed)
    for k, (row, why) in enumerate(listed):
        if row.role != "half":
            continue
        match = re.search(r"(?<![A-Za-z0-9#])R(?![A-Za-z0-9#])", row.path.stem)
        stem = row.path.stem[: match.start()] + "L" + row.path.stem[match.end() :] if match else ""
        left = names.get(row.path.with_name(stem + row.path.suffix))
        if left is None or not _alike(row.path, listed[left][0].path):
            result[k] = replace(row, role="note"), why
        else:
            result[left] = replace(result[left][0], right=row.path), result[left][1]
    return result


def _alike(one: Path, other: Path) -> bool:
    """Whether two files are of one length and rate, as halves are."""
    try:
        return probe(one) == probe(other)
    except (AntiphonError, OSError):
        return False


# --- listening ----------------------------------------------------------------------------------------------------


def _heard(found: Manifest, said: dict[Path, Said], track: bool | None, ear: Ear) -> Manifest:
    """Fills in unknown pitches, corrects the claimed ones by ear, tells layers from round robins by their levels."""
    doubtful = [row for row in found.rows if row.source in DOUBTED]
    heeded = [row for row in found.rows if row.source != "sidecar"]
    tracker = None if track is False or not heeded else open_tracker(demand=track is True and bool(doubtful))
    remarks = list(found.remarks)
    ears = ear.heard
    if tracker is None:
        if any(row.pitch is None for row in doubtful):
            remarks.append("some pitches are unknown: to detect them, pip install 'antiphon[pitch]'")
        rows = [replace(row, source="name") if row.source == "number" else row for row in found.rows]
    else:
        for row in doubtful:
            ear.hear(row)
        pitched = with_pitches(found.rows, ears, said)
        rows, remarks = pitched.rows, remarks + pitched.remarks + doubted_mappings(found.rows, tracker)

    def heard(path: Path) -> Heard | None:
        if path not in ears:
            ears[path] = listen(path, None)
        return ears[path]

    layered = with_layers(rows, heard, said)
    return replace(found, rows=layered.rows, remarks=remarks + layered.remarks)


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
