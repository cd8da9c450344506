"""From a folder of long recordings of places to a list of them: what each is of, which ones are parts of one take, how
long they are, and what in them cannot be used.

    found = find_recordings("places")
    for row in found: print(row.label, row.recording, row.seconds, row.remarks)
    for sound in read_stretches(found.rows[0]): ...           # (samples, channels) float32 at 44.1 kHz

Labels come from a table (a .csv with the columns path and label), from folders, or from names.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np

from antiphon.audio.files import audio_blocks, find_audio, probe
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.core.words import counted
from antiphon.data.analysis.faults import LEFT_OUT, Fault, find_faults, usable
from antiphon.data.labelling.labels import LONGEST_LABEL, parse_name
from antiphon.data.labelling.ranges import range_of
from antiphon.data.labelling.row import Refused

TABLES = (
    "recordings.csv",
    "sources.csv",
    "labels.csv",
    "manifest.csv",
    "meta.csv",
)  # before any other with its columns
PATHS, LABELS = ("path", "file", "filename", "file_name"), ("label", "category", "class", "scene", "place")
SPLITS = ("train", "valid")
HELD_OUT, FEWEST = 0.15, 4  # share of a label's recordings that is held out, if there are so many
LONGEST_PIECE = 300.0  # seconds of sound in memory at once
FEWEST_SECONDS = 0.5  # of a recording, that can be used
_LONGEST_LINE = 1 << 16
_SOURCE = re.compile(r"^\d{2,}__[^_]+(?:_[^_]+)*?__")  # 517042__somebody__forest-day: Freesound's number and author
_PART = re.compile(  # what tells the parts of one take apart, at the end of a name
    r"(?:(?:^|[\s_.,(-]+|(?<=[a-z0-9])(?=[A-Z]))"
    r"(?i:part|pt|excerpt|chunk|segment|seg|slice|split|channel|chan|ch|track|tr|mic)(?:[\s_.#-]*\d+|[\s_.#-]+[A-Za-z])"
    r"|[\s_.(-]+\d+\s*(?:of|/)\s*\d+|(?<=\d)[\s_.-]*[A-Ha-h]"
    r"|(?<=[\s_.-])(?i:lr|l|r|left|right|ms|mid|side|stereo|mono))\)?$"
)
_SPLIT = re.compile(
    r"^(?P<take>.*\d{3,})[-_](?P<part>\d{1,4})$"
)  # ZOOM0001-0002: recorders begin a new file every 2 GB
_DEVICES = re.compile(
    r"(?i)^(zoom|ste|stm|mono|dr|tascam|rec|recording|audio|untitled|track|tr|new|voice|memo|mvi|img|file|sound|take|session|"
    r"clip|h\d|r\d|f\d|sd|pcm|ms|lr|t|vn|ls|wav|mix|sample|the|my|a|of|in|at|on|and|with|from|no|nr|bit|k|khz|hz|day|date|"
    r"mp3|flac|edit|final|copy|loop|long|short|version|v|raw|master|excerpt|part|pt)$"
)
_BOX = re.compile(
    r"(?i)^(sounds?|audio|recordings?|wavs?|data|dataset|samples?|files?|field|train|valid|test|ambiences?)$"
)


@dataclass(frozen=True)
class Recording:
    """One file. recording: files with the same are parts of one take, and stay on one side of every split. seconds,
    channels, rate: of the file. stretches: (start, stop) in seconds of what can be used of it. label_from: table,
    folder, name or nothing. licence, author, source: as a table has them."""

    path: Path
    label: str
    recording: str
    seconds: float
    channels: int
    rate: int
    label_from: str = "folder"
    split: str = "train"
    faults: tuple[Fault, ...] = ()
    stretches: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()
    licence: str = ""
    author: str = ""
    source: str = ""

    @property
    def usable_seconds(self) -> float:
        """Seconds that can be used."""
        return sum(stop - start for start, stop in self.stretches)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong in it, a line for each kind of fault, with times."""
        kinds = dict.fromkeys(fault.kind for fault in self.faults)
        return (*self.notes, *(_said([f for f in self.faults if f.kind == kind], self.stretches) for kind in kinds))


@dataclass(frozen=True)
class Recordings:
    """A folder of recordings: its rows, the files that were refused, and remarks on the whole."""

    folder: Path
    rows: list[Recording]
    refused: list[Refused] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> tuple[str, ...]:
        """What there are recordings of, sorted."""
        return tuple(sorted({row.label for row in self.rows}))

    def called(self, label: str) -> Recordings:
        """The same recordings, all with that label; "" leaves them as they are."""
        rows = [replace(row, label=label, label_from="name") for row in self.rows] if label else self.rows
        return replace(self, rows=rows)


def find_recordings(
    folder: str | Path,
    *,
    listen: bool = True,
    label: str = "",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Recordings:
    """Finds and labels every recording under `folder`.

    listen: also hear each of them to its end for what is wrong inside (data/analysis/faults.py); without that all of
    every file counts as usable. label: what all of them are of, in place of what tables, folders and names say. seed:
    of what is held out. `progress(done, total)` is called after each file. Raises AntiphonError for a missing folder,
    one without sounds, or a table that cannot be read."""
    root = Path(folder)
    files = find_audio(root)
    if not files:
        raise AntiphonError(f"{root} contains no sound files: add some (wav, flac, ogg, opus, mp3, aiff, caf)")
    table, told = _table(root)
    rows, refused, remarks = [], [], []
    if table is not None:
        remarks.append(f"labels from {table.relative_to(root)}")
        unlisted = sum(path not in told for path in files)
        missing = sum(not path.is_file() for path in told)
        remarks += [f"sound files that the table does not list: {unlisted}"] if unlisted else []
        remarks += [f"files in the table that are not there: {missing}"] if missing else []
    names = _labels(root, files)
    for number, path in enumerate(files, 1):
        try:
            rows.append(_row(path, root, told.get(path, {}), names[path], listen))
        except (AntiphonError, OSError) as error:
            said = getattr(error, "strerror", None) or str(error).removeprefix(str(path)).strip()
            refused.append(Refused(path, said))
        if progress:
            progress(number, len(files))
    rows = _with_twins(rows)
    rows = _with_splits(rows, seed)
    return Recordings(root, rows, refused, remarks).called(label)


def looks_like_recordings(folder: str | Path, longest: float = 20.0) -> bool:
    """Whether a folder seems to hold recordings of places rather than notes: a table gives paths with labels and no
    pitch, or most of its files last longer than `longest` seconds and are not named like notes or instruments."""
    root = Path(folder)
    try:
        table, told = _table(root)
        if table is not None:
            return not any(row.get("pitch") or row.get("velocity") or row.get("instrument") for row in told.values())
        files = find_audio(root)
        some = files[:: max(len(files) // 24, 1)]
        lengths = [probe(path).seconds for path in some if not _of_notes(path.relative_to(root))]
    except (AntiphonError, OSError):
        return False
    return 2 * len(lengths) > len(some) and float(np.median(lengths)) > longest


def _of_notes(path: PurePath) -> bool:
    """Whether a name or its folders tell a pitch or an instrument."""
    return parse_name(path.stem).pitch is not None or any(range_of(part) for part in (path.stem, *path.parts[:-1]))


def read_stretches(row: Recording, sample_rate: int = SAMPLE_RATE) -> Iterator[np.ndarray]:
    """What can be used of a recording: (samples, channels) float32 at `sample_rate`, a stretch after another, each at
    most LONGEST_PIECE long."""
    import soxr

    for part in read_pieces(row):
        sound = part if row.rate == sample_rate else soxr.resample(part, row.rate, sample_rate, quality="HQ")
        yield np.asarray(sound, np.float32)


def read_pieces(row: Recording) -> Iterator[np.ndarray]:
    """`read_stretches` at the file's own rate."""
    for start, stop in row.stretches:
        yield from _pieces(row, start, stop)


def _pieces(row: Recording, start: float, stop: float) -> Iterator[np.ndarray]:
    first, last, at, held = round(start * row.rate), round(stop * row.rate), 0, []
    for block in audio_blocks(row.path):
        held.append(block[max(first - at, 0) : max(last - at, 0)])
        at += len(block)
        if sum(map(len, held)) >= LONGEST_PIECE * row.rate or at >= last:
            sound, held = np.concatenate(held), []
            if len(sound):
                yield sound
        if at >= last:
            return
    if held and sum(map(len, held)):
        yield np.concatenate(held)


def recording_of(path: PurePath, label: str = "") -> str:
    """What a file is a part of, by its name: `1-17367-A` of 1-17367, `street_01a` of street_01, "street part 2" of
    street, ZOOM0001-0002 of ZOOM0001. A name with a number of five digits or more is its own everywhere; others are
    told apart by their label."""
    stem = path.stem[:LONGEST_LABEL].strip()
    parts = re.fullmatch(r"(\d-\d{3,})-[A-Z](?:-\d+)?", stem)  # ESC-50: fold, recording, part, class
    if parts:
        return parts[1]
    split = _SPLIT.match(stem)
    if split and not re.fullmatch(r"\D*\d{6,8}", split["take"]):  # a date and a number are two takes of a day
        stem = split["take"]
    while (shorter := _PART.sub("", stem)) != stem:
        stem = shorter
    stem = re.sub(r"\W+$", "", stem).strip("_") or path.parent.as_posix()  # part1, part2 of their folder
    return stem if re.search(r"\d{5}", stem) else "/".join(filter(None, (label, stem)))


# ---- one file --------------------------------------------------------------------------------------------------------


def _row(path: Path, root: Path, told: dict[str, str], named: tuple[str, str], listen: bool) -> Recording:
    """A file's row. Raises AntiphonError if it cannot be read, or nothing in it used."""
    header = probe(path)
    label, source = (told["label"], "table") if told.get("label") else named
    row = Recording(
        path,
        label,
        told.get("recording") or recording_of(path.relative_to(root), label),
        header.seconds,
        header.channels,
        header.sample_rate,
        source,
        told.get("split", "").lower(),
        stretches=((0.0, header.seconds),),
        licence=told.get("licence") or told.get("license", ""),
        author=told.get("author", ""),
        source=told.get("source") or told.get("url", ""),
    )
    if row.split and row.split not in SPLITS:
        raise AntiphonError(f"its split in the table is '{row.split}': use {' or '.join(SPLITS)}")
    return heard(row) if listen else row


def heard(row: Recording) -> Recording:
    """A row with its faults, its usable stretches, and its length as it was read. Raises AntiphonError if the file is
    damaged or nothing of it can be used."""
    length = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal length
        for block in audio_blocks(row.path):
            length += len(block)
            yield block

    faults = find_faults(blocks(), row.rate)
    seconds, notes = length / row.rate, row.notes
    clipped = sum(f.stop - f.start for f in faults if f.kind == "clipping")
    if clipped > seconds / 3:
        faults = [f for f in faults if f.kind != "clipping"]
        notes = (f"clipped nearly throughout ({clipped / seconds:.0%}); used nevertheless: record it at a lower level",)
    stretches = tuple(usable(faults, seconds))
    if sum(stop - start for start, stop in stretches) < min(FEWEST_SECONDS, seconds / 2):
        kinds = ", ".join(dict.fromkeys(f.kind for f in faults if f.kind in LEFT_OUT)) or "too short"
        raise AntiphonError(f"nothing of it can be used: {kinds}")
    return replace(row, seconds=seconds, faults=tuple(faults), stretches=stretches, notes=notes)


def _said(faults: Sequence[Fault], stretches: Sequence[tuple[float, float]]) -> str:
    """Faults of one kind as a line: the first three, and how many more."""
    kind, more = faults[0].kind, len(faults) - 3
    if kind not in LEFT_OUT:
        return "; ".join(f"{kind}, {fault.detail} above its surroundings" for fault in faults)
    rest = f" and {more} more" if more > 0 else ""
    seconds = sum(fault.stop - fault.start for fault in faults)
    return f"{', '.join(map(str, faults[:3]))}{rest}: {seconds:.1f} s left out"


# ---- labels ----------------------------------------------------------------------------------------------------------


def _table(root: Path) -> tuple[Path | None, dict[Path, dict[str, str]]]:
    """The table that labels a folder, and its lines by path; none if there is none."""
    if not root.is_dir():
        raise AntiphonError(f"{root} is not a folder: give a folder of sound files")
    tables = [root / name for name in TABLES if (root / name).is_file()]
    tables += sorted(path for path in root.glob("*.csv") if path.is_file() and path not in tables)
    for table in tables:
        try:
            with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                head = [cell.strip().strip('"').lower() for cell in file.readline(_LONGEST_LINE).split(",")]
                if any(name in head for name in PATHS) and any(name in head for name in LABELS):
                    file.seek(0)
                    return table, dict(_lines(file, root))
        except (OSError, ValueError, csv.Error) as error:
            raise AntiphonError(f"cannot read the table {table}: {str(error)[:200]}") from None
    return None, {}


def _lines(file: Iterator[str], root: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The lines of a table: each file's path, and what is said of it, whatever its columns are called."""
    reader = csv.DictReader(file, skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    for record in reader:
        line = {key: _plain(value) for key, value in record.items() if key and isinstance(value, str)}
        place = next((line[name] for name in PATHS if line.get(name)), "")
        line["label"] = next((line[name] for name in LABELS if line.get(name)), "").lower()
        path = root / place
        if place and ".." not in path.parts and path.is_relative_to(root):
            yield path, line


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).encode("utf-8", "replace").decode().strip()[:LONGEST_LABEL]


def _labels(root: Path, files: Sequence[Path]) -> dict[Path, tuple[str, str]]:
    """The label of each file by its folder, else by its name, and which of both it is from."""
    parts = {path: [p for p in path.relative_to(root).parts[:-1] if not _BOX.match(p)] for path in files}
    while all(parts.values()) and len({p[0] for p in parts.values()}) == 1 and any(len(p) > 1 for p in parts.values()):
        parts = {path: p[1:] for path, p in parts.items()}  # one folder that holds all the others
    named = {path: _named(path.stem) for path in files}
    return {
        path: (_folder_label(p[0]), "folder") if p else (named[path], "name") if named[path] else _place(root)
        for path, p in parts.items()
    }


def _folder_label(name: str) -> str:
    return " ".join(re.split(r"[\s_]+", re.sub(r"^\d+[\s_.-]+", "", _plain(name)).lower())).strip() or _plain(name)


def _named(stem: str) -> str:
    """What a name says a recording is of: its words before the first number; "" if it is a recorder's own name."""
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _PART.sub("", _SOURCE.sub("", stem[:LONGEST_LABEL])))
    words = re.findall(r"[^\W\d_]+|\d+", stem)
    kept: list[str] = []
    for word in words:
        if word.isdigit():
            if kept:
                break
        elif not _DEVICES.match(word):
            kept.append(word.lower())
        elif kept:
            break
    return " ".join(kept[:3]) if kept and (len(kept) > 1 or len(kept[0]) > 2) else ""


def _place(root: Path) -> tuple[str, str]:
    """The label of files that say nothing: the folder's own name."""
    return _folder_label(root.absolute().name) or "place", "folder"


# ---- the whole folder ------------------------------------------------------------------------------------------------


def _with_twins(rows: list[Recording]) -> list[Recording]:
    """Files with the same contents are one recording, and say so."""
    sizes = Counter(row.path.stat().st_size for row in rows)
    first: dict[bytes, Recording] = {}
    found = []
    for row in rows:
        if sizes[row.path.stat().st_size] > 1:
            with row.path.open("rb") as file:
                twin = first.setdefault(hashlib.file_digest(file, "blake2b").digest(), row)
            if twin is not row:
                notes = (*row.notes, f"the same sound as {twin.path.name}: remove one of them")
                row = replace(row, recording=twin.recording, notes=notes)
        found.append(row)
    return found


def _with_splits(rows: list[Recording], seed: int) -> list[Recording]:
    """Keeps a table's splits; else holds out some recordings of every label that has enough, with all their parts."""
    if any(row.split for row in rows):
        return [replace(row, split=row.split or "train") for row in rows]
    takes: dict[str, set[str]] = {}
    for row in rows:
        takes.setdefault(row.label, set()).add(row.recording)
    held = set()
    for label, names in sorted(takes.items()):
        order = sorted(
            names, key=lambda name: hashlib.blake2b(f"{seed}/{label}/{name}".encode(errors="replace")).digest()
        )
        if len(order) >= FEWEST:
            held |= set(order[: max(round(HELD_OUT * len(order)), 1)])
    return [replace(row, split="valid" if row.recording in held else "train") for row in rows]


def totals(found: Recordings) -> str:
    """A line on the whole: "284 recordings of 22 labels, 44.0 minutes, ..."."""
    seconds = sum(row.usable_seconds for row in found)
    takes = len({row.recording for row in found})
    held = len({row.recording for row in found if row.split != "train"})
    return (
        f"{counted(len(found), 'file')} of {counted(len(found.labels), 'label')}, {counted(takes, 'recording')}, "
        f"{seconds / 60:.1f} minutes to use; held out: {counted(held, 'recording')}; {len(found.refused)} refused"
    )
