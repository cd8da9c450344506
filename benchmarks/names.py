"""What names alone tell: file names of public sample sets against the truth of their samplers' mappings.

    python benchmarks/names.py PATH/names.csv [--held] [--show SET]

The table's columns: set, path, pitch, lovel, hivel, release, instrument (and others). No sound is heard, so octaves are
settled by the names alone. By set: notes whose pitch is exact, of those that have one; pairs of layers of one key whose
velocities are right, tied or wrong; drums named right; release samples that are known as such. Every third set is held
out: rules were made without looking at them."""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path, PurePosixPath

from antiphon.data.labelling.drums import DRUMS
from antiphon.data.labelling.names import Said, read_names

MOST_PAIRS = 40  # of one key that are counted
# what a mapping's instrument is called, in the order tried, and the drum that is; states of hats must agree
_FAMILIES = (
    (r"pedal|foot", "pedal hat"), (r"open.*ha|hat.*open|semi|half", "open hat"), (r"clos|hi-?hat|\bhat", "closed hat"),
    (r"click|fx", None), (r"side ?stick|rim", "rim"), (r"kick|bass ?drum", "kick"), (r"snare", "snare"),
    (r"tom", "tom"), (r"ride ?bell|^bell$", "ride bell"), (r"ride", "ride"), (r"china", "china"),
    (r"splash", "splash"), (r"crash", "crash"), (r"cowbell", "cowbell"), (r"tamb", "tambourine"), (r"shaker", "shaker"),
    (r"clap", "clap"), (r"claves", "claves"), (r"conga", "conga"), (r"bongo", "bongo"), (r"cabasa", "cabasa"),
    (r"triangle", "triangle"), (r"guiro", "guiro"), (r"bell tree", "bell tree"), (r"cymbal", "cymbal"),
    (r"tabla", None),
)  # fmt: skip
_CYMBALS = {"ride", "crash", "china", "splash", "cymbal"}


@dataclass
class Score:
    """Counts of one set."""

    pitched: int = 0
    exact: int = 0
    semitone: int = 0  # right but for octaves
    right: int = 0
    tied: int = 0
    wrong: int = 0
    drums: int = 0
    named: int = 0
    released: int = 0
    known: int = 0
    misses: list[str] = field(default_factory=list)

    def __iadd__(self, other: Score) -> Score:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--show", default="", help="print the misses of sets whose names hold this")
    chosen = parser.parse_args(argv)
    sets: dict[str, list[dict[str, str]]] = defaultdict(list)
    with chosen.table.open(newline="", encoding="utf-8") as file:
        for record in csv.DictReader(file):
            sets[record["set"]].append(record)
    scores = {name: score(name, records) for name, records in sets.items()}
    print(f"{'set':48} {'pitch':>14} {'class':>6}  {'layers right/tied/wrong':>24} {'drums':>10} {'releases':>9}")
    for number, (name, found) in enumerate(scores.items()):
        print(f"{'*' if number % 3 == 2 else ' '}{name[-46:]:47} {line(found)}")
        if chosen.show and chosen.show in name:
            print("\n".join(f"      {miss}" for miss in found.misses[:60]))
    for title, kept in (("designed on", {0, 1}), ("held out (*)", {2}), ("all", {0, 1, 2})):
        total(title, [found for number, found in enumerate(scores.values()) if number % 3 in kept])


def total(title: str, scores: list[Score]) -> None:
    whole = Score()
    for one in scores:
        whole += one
    shares = [one.exact / one.pitched for one in scores if one.pitched]
    print(f" {title:47} {line(whole)}   by set: pitch {sum(shares) / max(len(shares), 1):.1%}")


def line(s: Score) -> str:
    pairs = s.right + s.tied + s.wrong
    return (
        f"{s.exact:5}/{s.pitched:4} {share(s.exact, s.pitched)} {share(s.exact + s.semitone, s.pitched)}  "
        f"{share(s.right, pairs)}/{share(s.tied, pairs)}/{share(s.wrong, pairs)} of {pairs:5}"
        f" {s.named:4}/{s.drums:4} {share(s.named, s.drums)} {s.known:3}/{s.released:3}"
    )


def share(part: int, whole: int) -> str:
    return f"{part / whole:4.0%}" if whole else "   -"


def score(name: str, records: list[dict[str, str]]) -> Score:
    paths = [PurePosixPath(record["path"]) for record in records]
    read = read_names(paths, re.sub(r"\W+", " ", name))
    found = Score()
    keys: dict[tuple[str, ...], list[tuple[int, int, int]]] = defaultdict(list)
    for record, path, said in zip(records, paths, read, strict=True):
        _score_pitch(found, record, said)
        _score_drum(found, record, said)
        if record["release"]:
            found.released += 1
            found.known += said.role != "note"
        low, high = int(record["lovel"] or 0), int(record["hivel"] or 127)
        place = (str(path.parent), record["pitch"] or record["lokey"], record["instrument"], record["release"])
        keys[place].append((low, high, said.velocity or 0))
    for layers in keys.values():
        _score_layers(found, layers)
    return found


def _score_pitch(found: Score, record: dict[str, str], said: Said) -> None:
    if not record["pitch"] or record["release"]:
        return
    found.pitched += 1
    apart = None if said.pitch is None else said.pitch - float(record["pitch"])
    found.exact += apart == 0
    found.semitone += bool(apart) and apart % 12 == 0
    if apart != 0:
        found.misses.append(f"{record['path']}: {record['pitch']}, read as {said.pitch}")


def _score_drum(found: Score, record: dict[str, str], said: Said) -> None:
    truth = family(record["instrument"])
    if record["pitch"] or truth is None:
        return
    found.drums += 1
    right = said.drum is not None and agree(truth, said.drum)
    found.named += right
    if not right:
        found.misses.append(f"{record['path']}: {record['instrument']}, read as {said.drum}")


def family(instrument: str) -> str | None:
    text = instrument.lower()
    return next((drum for pattern, drum in _FAMILIES if re.search(pattern, text)), None)


def agree(truth: str, drum: str) -> bool:
    assert drum in DRUMS
    if truth == "cymbal":
        return drum in _CYMBALS
    return drum == truth or drum.split()[-1] == truth or truth.split()[-1] == drum == "hat"


def _score_layers(found: Score, layers: list[tuple[int, int, int]]) -> None:
    pairs = 0
    for one, other in combinations(sorted(layers), 2):
        if one[1] >= other[0] or pairs >= MOST_PAIRS:
            continue
        pairs += 1
        found.right += one[2] < other[2]
        found.tied += one[2] == other[2]
        found.wrong += one[2] > other[2]


if __name__ == "__main__":
    main()
