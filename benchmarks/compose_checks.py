"""Checks of composed pieces for benchmarks/compose.py: files, accompaniments, and damaged input."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from compose_works import Work, cut, score_of
from fuzz_damage import damaged

from antiphon.core.atomic import scratch
from antiphon.core.errors import AntiphonError
from antiphon.metrics.bootstrap import mean_margin
from antiphon.metrics.composition import agreement
from antiphon.music.midi import read_midi
from antiphon.music.notation import ROLES, Score
from antiphon.music.qualities import NoteTable, note_table, qualities
from antiphon.music.score import read_score
from antiphon.music.smf import read_smf
from antiphon.verbs.compose import from_noise
from antiphon.voices.capabilities import ComposesMusic

AGAIN = 10  # every so many pieces, one is composed twice
STUCK = 4  # bars: a longer note is taken to be stuck
ASKED = ((), ("melody", "bass"), ("melody", "chords", "bass"), ("melody", "inner", "bass", "drums"))


# ---- files -----------------------------------------------------------------------------------------------------------


def checks(voice: ComposesMusic, count: int, bars: int = 32) -> dict[str, object]:
    """How many of so many pieces, of all styles and several line-ups, fail at what."""
    styles = voice.instruments
    failed: Counter[str] = Counter()
    seconds = []
    with scratch() as place:
        for seed in range(count):
            asked = ASKED[seed % len(ASKED)]
            began = time.process_time()
            score = voice.bars(bars, style=styles[seed % len(styles)], parts=list(asked) or None, seed=seed)
            seconds.append(time.process_time() - began)
            path = score.write(place / f"{seed}.mid")
            failed.update(faults(path, score, asked))
            if seed % AGAIN == 0:
                again = voice.bars(bars, style=styles[seed % len(styles)], parts=list(asked) or None, seed=seed)
                failed["other bytes from the same seed"] += again.encode() != path.read_bytes()
    return {"pieces": count, "failed": dict(failed), "median processor seconds": float(np.median(seconds)),
            "slowest": float(max(seconds))}  # fmt: skip


def faults(path: Path, score: Score, asked: Sequence[str]) -> list[str]:
    """What is wrong with a written piece."""
    found = []
    try:
        read_midi(path)
        again = read_score(path)
    except AntiphonError as error:
        return [f"cannot be read: {error}"]
    if [part.notes for part in again.parts] != [part.notes for part in score.parts if part.notes]:
        found.append("reads differently than it was written")
    if stuck(path):
        found.append("a note is never released")
    longest = max(metre.steps for metre in score.metres) * STUCK
    if any(note.length > longest for part in score.parts for note in part.notes):
        found.append(f"a note of more than {STUCK} bars")
    if asked and [role for role in asked if not any(p.role == role and p.notes for p in score.parts)]:
        found.append("a part that was asked for is empty")
    if any(not part.notes for part in score.parts):
        found.append("a part is empty")
    return found


def stuck(path: Path) -> bool:
    """Whether a key is pressed and never released."""
    down: Counter[tuple[int, int, int]] = Counter()
    for number, track in enumerate(read_smf(path).tracks):
        for event in track.events:
            if event.status >> 4 == 9 and event.second:
                down[number, event.status & 15, event.first] += 1
            elif event.status >> 4 in (8, 9):
                down[number, event.status & 15, event.first] -= 1
    return any(down.values())


# ---- what is asked for -----------------------------------------------------------------------------------------------


def asking(voice: ComposesMusic, count: int, bars: int = 16) -> dict[str, object]:
    """By style, what is measured (music/qualities.py) of pieces that are asked for little and for much of each quality,
    for a minor and a major key, and for a slow and a fast tempo: means, margins, and the share of seeds by which asking
    for more has got more."""
    found: dict[str, object] = {}
    for style in voice.instruments:
        for name in ("density", "register", "syncopation", "polyphony", "mode"):
            pairs = []
            for seed in range(count):
                two = [{"key": "Am"}, {"key": "C"}] if name == "mode" else [{"controls": {name: v}} for v in (0.1, 0.9)]
                made = [voice.bars(bars, style=style, seed=seed, **how) for how in two]
                pairs.append([qualities(note_table(score))[name] for score in made])
            low, high = np.array(pairs).T
            found[f"{style} {name}"] = {
                "little": [float(np.nanmean(low)), mean_margin(low)],
                "much": [float(np.nanmean(high)), mean_margin(high)],
                "rises": float((high > low).mean()),
            }
        tempos = [voice.bars(4, style=style, seed=0, tempo=bpm).tempo for bpm in (70.0, 150.0)]
        found[f"{style} tempo"] = tempos
    return found


# ---- accompaniments --------------------------------------------------------------------------------------------------


def accompany(voice: ComposesMusic, works: Sequence[Work], count: int, bars: int = 16) -> dict[str, object]:
    """By style, how often others agree with the melody of unheard works: their own parts, those that the voice writes
    to it, and those of another work in the same key. And whether melodies, and what is continued, stay as they are."""
    rng = np.random.default_rng(0)
    found: dict[str, object] = {}
    for style in voice.instruments:
        own = [work for work in works if work.style == style and work.unheard and "melody" in work.roles]
        own = [own[i] for i in rng.permutation(len(own))[:count].tolist()]
        rows: dict[str, list[float]] = {"real": [], "ours": [], "random": []}
        kept = 0
        for seed, work in enumerate(own):
            tune, whole = _melody(work, bars)
            made = voice.bars(given=tune, style=style, seed=seed)
            kept += _rows(made, 0) == _rows(tune, 0) and _goes_on(voice, tune, seed)
            other = own[(seed + 1) % len(own)]
            rows["real"].append(agreement(whole, [work.roles.index("melody")]))
            rows["ours"].append(agreement(note_table(made), [0]))
            rows["random"].append(agreement(_strange(whole, work, other, bars), [work.roles.index("melody")]))
        found[style] = {"works": len(own), "kept note for note": kept} | {
            name: [float(np.nanmean(values)), mean_margin(np.array(values)[np.isfinite(values)])]
            for name, values in rows.items()
        }
    return found


def _melody(work: Work, bars: int) -> tuple[Score, NoteTable]:
    """The melody of a stretch of a work in which there is one, and all of that stretch."""
    part = work.roles.index("melody")
    at = work.table.bar[work.table.part == part]
    first = int(at[len(at) // 3])
    whole = cut(work.table, first, min(first + bars, len(work.table.bars) - 1))
    score = score_of(whole, work)
    with scratch() as place:  # as a MIDI file has it, in which a key that is struck again ends before
        return read_score(replace(score, parts=(score.parts[part],)).write(place / "a.mid")), whole


def _rows(score: Score, index: int) -> list[list[int]]:
    return score.table(score.parts[index])[:, :3].tolist()


def _goes_on(voice: ComposesMusic, tune: Score, seed: int) -> bool:
    """Whether a melody that is continued is still there."""
    with scratch() as place:
        path = from_noise(4, voice, after=tune, seed=seed).write(place / "a.mid")
        again = read_score(path)
    return _rows(again, 0)[: len(tune.parts[0].notes)] == _rows(tune, 0)


def _strange(whole: NoteTable, work: Work, other: Work, bars: int) -> NoteTable:
    """The melody of a work with another work's accompaniment, in its key."""
    part = work.roles.index("melody")
    mine = whole.where(whole.part == part)
    theirs = cut(other.table, 0, min(bars, len(other.table.bars) - 1)).pitched
    theirs = theirs.where(theirs.part != other.roles.index("melody"))
    columns = {
        name: np.concatenate([getattr(mine, name), getattr(theirs, name)]) for name in ("onset", "length", "drum")
    }
    pitch = np.concatenate([mine.pitch, theirs.pitch + other.shift - work.shift])
    return replace(whole, **columns, pitch=pitch, part=np.concatenate([mine.part, theirs.part + 100]))


# ---- damaged input ---------------------------------------------------------------------------------------------------


def fuzz(voice: ComposesMusic, folder: Path, count: int) -> dict[str, object]:
    """Damaged MIDI files, given to be continued, accompanied and varied: each is used, or refused in one line."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = [voice.bars(4, style=style, seed=7).encode() for style in voice.instruments]
    said: Counter[str] = Counter()
    slowest = (0.0, 0)
    for case in range(count):
        rng = np.random.default_rng([case, 3])
        path = folder / "case.mid"
        path.write_bytes(damaged(rng, whole[case % len(whole)]))
        use = ("after", "around", "vary")[case // len(whole) % 3]
        began = time.process_time()
        try:
            from_noise(2 if use == "after" else None, voice, **{use: path}, seed=case)
        except AntiphonError as error:
            said["refused" if "\n" not in str(error) else "refused in several lines"] += 1
        except Exception as error:
            said[f"DEFECT {type(error).__name__}: {error} (case {case}, {use})"] += 1
        else:
            said["used"] += 1
        slowest = max(slowest, (time.process_time() - began, case))
    return dict(said) | {"slowest, processor s": slowest[0], "which": slowest[1]}


assert set(ROLES).issuperset(role for asked in ASKED for role in asked)
