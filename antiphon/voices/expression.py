"""What sounds, and when: an instrument expression becomes a character, a style vector w as a function of time.

    flute                           a label, an abbreviation of it, or a General MIDI name, number or family
    flute:0.6,strings:0.4           a blend: names with their shares
    NOTE.wav                        a recording of one note
    flute>cello@0:30-1:00           a morph: each `>` moves on to another of these, from one time to another

    part = character(voice, "flute>cello@0:30-1:00", seed=3)
    part.label(45.0), part.w(45.0)                                  # -> "cello", (style,)

This is the only source of w: players ask a character for its label and its w at a time. Style vectors are on a sphere
of unit mean square (networks/encoders/note.py), so all mixing is along its great circles.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from antiphon.audio.files import SUFFIXES, read_audio
from antiphon.audio.mel import fit_length
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note, mixed
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.analysis.recording import one_note
from antiphon.data.labelling.labels import parse_name
from antiphon.data.prepare import LONGEST, TARGET_DB
from antiphon.voices.capabilities import Encodes, Imagines, PlaysNotes, Turned
from antiphon.voices.interpolation import Way, blended, even_way
from antiphon.voices.voice import Voice

USUAL_RANGE = (48.0, 72.0)  # for voices that do not tell what they were trained on
MOST_NAMES = 32  # in an expression: measuring the way from one to the next takes a second or two
PROBE_HELD = 0.6  # seconds of the note with which a way is measured, unless the note to play is known
PROBE_LONGEST, PROBE_TAIL = 1.5, 2.0  # longest hold of that note in seconds, and seconds to listen after it


# ---- the grammar -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Blend:
    """Names and their shares, which sum to 1; most often a single name. text: as it was written."""

    names: tuple[str, ...]
    shares: tuple[float, ...]
    text: str = ""


@dataclass(frozen=True)
class Turn:
    """A transition to another blend, between two times in seconds; None if it takes the whole piece."""

    to: Blend
    span: tuple[float, float] | None


@dataclass(frozen=True)
class Expression:
    """A blend, and the transitions that follow it."""

    first: Blend
    turns: tuple[Turn, ...] = ()


def parse(text: str) -> Expression:
    """Read an instrument expression. Raises AntiphonError, in one line, for anything else."""
    if text.count(">") + text.count(",") >= MOST_NAMES:
        raise AntiphonError(f"an instrument may name at most {MOST_NAMES} sounds: name fewer")
    first, *later = (part.strip() for part in text.split(">"))
    if re.search(r"@[\d:.]+-[\d:.]+$", first):
        raise AntiphonError(f"'{text}': a time is only for changes, such as flute>cello@0:30-1:00")
    turns = tuple(_turn(part, text) for part in later)
    if len(turns) > 1 and any(turn.span is None for turn in turns):
        raise AntiphonError(f"'{text}': give the time of each change, such as flute>cello@0:30-1:00>oboe@2:00-2:10")
    spans = [turn.span for turn in turns if turn.span]
    if any(b[0] < a[1] for a, b in pairwise(spans)):
        raise AntiphonError(f"'{text}': each change must begin after the previous one has ended")
    return Expression(_blend(first, text), turns)


def _turn(part: str, text: str) -> Turn:
    to, mark, when = part.rpartition("@")
    if not mark:
        return Turn(_blend(part, text), None)
    times = [_seconds(t) for t in when.split("-")]
    if len(times) != 2 or None in times or not times[0] <= times[1]:  # type: ignore[operator]
        raise AntiphonError(f"'{text}': '@{when}' is not a time span: write it like @0:30-1:00 or @30-60")
    return Turn(_blend(to, text), (float(times[0] or 0), float(times[1] or 0)))


def _seconds(text: str) -> float | None:
    """1:02:03.5, 2:03, 123.5 in seconds; None for anything else."""
    if not re.fullmatch(r"(\d{1,3}:){0,2}\d{1,6}(\.\d{1,6})?", text.strip()):
        return None
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def _blend(part: str, text: str) -> Blend:
    names, shares = [], []
    for item in part.split(","):
        name, mark, share = item.rpartition(":")
        weighted = bool(mark) and re.fullmatch(r"\s*\d*\.?\d+\s*", share) is not None
        names.append((name if weighted else item).strip())
        shares.append(float(share) if weighted else 1.0)
    if not all(names):
        raise AntiphonError(f"'{text}': a name is missing; write it like flute:0.6,strings:0.4")
    if len(names) > 1 or shares != [1.0]:
        total = sum(shares)
        if not 0 < total < 1e9:
            raise AntiphonError(f"'{text}': the shares of a blend must sum to more than 0")
        shares = [share / total for share in shares]
    return Blend(tuple(names), tuple(shares), part.strip())


# ---- characters ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Character:
    """What plays, over time. labels: the voice's label that describes each stage best, used for ranges and file names.
    first: (style,) w of the first stage; ways: from each stage to the next; spans: when, in seconds. voice: who renders
    it in a song, if not the song's voice. blended: the labels that the first stage is mixed of, each with its share.
    shapings: of each stage's notes, by controls that were turned [Note.shaping]; () for none."""

    labels: tuple[str, ...]
    first: Tensor
    ways: tuple[Way, ...] = ()
    spans: tuple[tuple[float, float], ...] = ()
    voice: Voice | None = None
    blended: tuple[tuple[str, float], ...] = ()
    shapings: tuple[tuple[float, ...], ...] = ()

    @property
    def moves(self) -> bool:
        """Whether w changes with time."""
        return bool(self.ways)

    def w(self, seconds: float = 0.0) -> Tensor:
        """(style,) the style vector at a time."""
        stage, share = self._at(seconds)
        return self.ways[stage](share) if self.ways else self.first

    def shaping(self, seconds: float = 0.0) -> tuple[float, ...]:
        """How far the knobs of a note that begins at a time are turned; in proportion between two stages."""
        stage, share = self._at(seconds)
        if not any(self.shapings):
            return ()
        return mixed(self.shapings[stage : stage + 2], (1 - share, share)[: len(self.shapings) - stage])

    def label(self, seconds: float = 0.0) -> str:
        """The label at a time; it changes half way to the next stage."""
        stage, share = self._at(seconds)
        return self.labels[stage + (share >= 0.5)]

    def _at(self, seconds: float) -> tuple[int, float]:
        """The current or last way, and how much of it is done, 0..1."""
        stage = max(sum(start <= seconds for start, _ in self.spans) - 1, 0)
        if not self.spans:
            return 0, 0.0
        start, stop = self.spans[stage]
        done = (seconds - start) / (stop - start) if stop > start else float(seconds >= start)
        return stage, min(max(done, 0.0), 1.0)


def character(
    voice: Voice,
    expression: str | int,
    *,
    seed: int = 0,
    style: Sequence[str] = (),
    variation: float | None = None,
    seconds: float | None = None,
    control: Mapping[str, float] | None = None,
) -> Character:
    """The character that an instrument expression (see the module's docstring) means for a voice.

    seed: which player of the instrument. style: style words. variation: 0..1, how far the seed may move from a label's
    typical sound or from a recording; 1 is as varied as training (default: 1 for labels, 0 for recordings). seconds:
    how long the piece is, for a morph without times. control: named controls (voices/controls.py), such as
    {"brightness": 1}, for every sound named. Raises AntiphonError for an expression that cannot be read, an
    unknown name or a recording that is not one note.
    """
    if variation is not None and not 0 <= variation <= 1:
        raise AntiphonError(f"a variation of {variation:g} is out of range: use 0 (none) to 1 (as varied as training)")
    cast = _Casting(voice, seed, voice.resolve_style(style), variation, control or {})
    text = str(expression).strip()
    if text.lower() in {label.lower() for label in voice.instruments} or os.path.isfile(text):
        return cast.still(Blend((text,), (1.0,)))  # whatever characters its name contains
    return cast.moving(parse(text), seconds)


def still(voice: Voice, name: str | int, **how: Any) -> Character:
    """The character of a name that does not change over time; keywords as in `character`. Raises AntiphonError if it
    does."""
    found = character(voice, name, seconds=0.0, **how)
    if found.moves:
        raise AntiphonError(f"'{name}' changes over time: give one sound here, such as flute or flute:0.6,strings:0.4")
    return found


@dataclass(frozen=True)
class _Casting:
    """A voice and how sounds are drawn from it."""

    voice: Voice
    seed: int
    style: tuple[str, ...]
    variation: float | None
    control: Mapping[str, float]

    def still(self, blend: Blend) -> Character:
        if len(blend.names) > 1:
            self.voice.able(Encodes, "blend instruments")
        found = [self._named(name) for name in blend.names]
        labels = [label for label, _ in found]
        shaping = mixed([turned.shaping for _, turned in found], blend.shares)
        loudest = max(range(len(labels)), key=lambda i: blend.shares[i])
        w = blended([turned.w for _, turned in found], blend.shares)
        mix = tuple(zip(labels, blend.shares, strict=True))
        return Character((labels[loudest],), w, blended=mix, shapings=(shaping,))

    def moving(self, expression: Expression, seconds: float | None) -> Character:
        stages = [self.still(blend) for blend in (expression.first, *(turn.to for turn in expression.turns))]
        spans = tuple(turn.span or _whole(seconds) for turn in expression.turns)
        ways = tuple(way_between(self.voice, a, b) for a, b in pairwise(stages))
        labels = tuple(stage.labels[0] for stage in stages)
        shapings = tuple(stage.shaping() for stage in stages)
        return Character(labels, stages[0].first, ways, spans, blended=stages[0].blended, shapings=shapings)

    def _named(self, name: str) -> tuple[str, Turned]:
        """The label of a name or of a recording, its w and its shaping."""
        if Path(name).suffix.lower() not in SUFFIXES:
            label = self.voice.resolve(name, self.seed)
            variation = 1.0 if self.variation is None else self.variation
            player = self.voice.able(Imagines, "imagine sounds")
            return label, player.turned(player.imagine(label, self.style, self.seed, variation), label, self.control)
        listener = self.voice.able(Encodes, "listen to a recording")
        w = heard(listener, Path(name))
        label = listener.nearest(w)
        w = listener.vary(w, label, self.style, self.seed, self.variation or 0.0)
        return label, listener.turned(w, label, self.control)


def _whole(seconds: float | None) -> tuple[float, float]:
    if seconds is None:
        raise AntiphonError("a change needs a time here: write it like flute>cello@0:30-1:00")
    return 0.0, seconds


def way_between(voice: Voice, a: Character, b: Character, played: Note | None = None) -> Way:
    """The way from one constant character to another, in steps even to the ear: measured with the note to be played, or
    with a short one at a pitch that both can play."""
    player = voice.able(PlaysNotes, "morph")
    player.able(Encodes, "morph")
    note = played or Note(common_pitch(voice, (a.labels[0], b.labels[0])), PROBE_HELD)
    note = replace(note, seconds=min(note.seconds, PROBE_LONGEST))
    heard = round((note.seconds + PROBE_TAIL) * voice.sample_rate)

    def listen(ws: list[Tensor]) -> list[np.ndarray]:
        return [fit_length(sound, heard) for sound in player.notes([note] * len(ws), w=torch.stack(ws))]

    return even_way(a.first, b.first, listen)


def common_pitch(voice: Voice, labels: Sequence[str]) -> float:
    """The middle key of the range that all these labels were trained in, or between their ranges if they share none."""
    ranges = [voice.info.range_of.get(label, USUAL_RANGE) for label in labels]
    return float(round((max(low for low, _ in ranges) + min(high for _, high in ranges)) / 2))


def heard(voice: Encodes, path: Path) -> Tensor:
    """(style,) the style vector of a recording of one note. Its pitch is estimated, or read from its name.

    Raises AntiphonError if the file is not a clean recording of one pitched note."""
    return _heard(voice, path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=16)
def _heard(voice: Encodes, path: Path, changed: int) -> Tensor:
    said = parse_name(path.stem)
    hint, say = None if said.several else said.pitch, "put its note in the file's name, such as bell_A5.wav"
    note = one_note(read_audio(path, max_seconds=LONGEST), path.name, hint=hint, say=say)
    for remark in note.remarks:
        warnings.warn(remark, stacklevel=2)
    audio = note.audio[analysis.find_onset(note.audio) :]
    hold = analysis.find_release(analysis.cut_and_fade_tail(audio))
    level = np.float32(
        10 ** ((TARGET_DB - analysis.loudness(audio)) / 20)
    )  # that of the notes the encoder learned from
    release = hold / voice.sample_rate if hold > 0 else None
    return torch.from_numpy(voice.encode([audio * level], [note.pitch], [release])[0])
