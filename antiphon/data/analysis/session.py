"""Notes in a long recording: where each begins and ends, and which pitch it has.

A note begins where the level jumps, where a pitch settles at another than before, or after silence; it ends where the
next begins or its sound has died away. Audio is (samples,) float32 at 44.1 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from antiphon.audio.envelope import decibels, envelope
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis.comb import comb
from antiphon.data.analysis.tracker import open_tracker

TICK = 441  # samples: levels are taken every 10 ms
JUMP = 10.0  # dB that the level rises within 80 ms where something is struck anew
QUIET = 50.0  # dB below the loudest of the recording, where there is silence
SHORTEST = 0.1  # seconds of a note
PLATEAU = 0.09  # seconds for which a pitch is held when it is another note, not a slide or a vibrato
SETTLES = 0.2  # seconds after an attack within which another pitch than before is its own
RINGS = 12.0  # dB that the end of a note that rings on lies below its beginning
SLIP = 0.2  # seconds: shorter, another pitch in the middle of a note is the tracker's
STEP = 0.7  # semitones
FAINTER = 20.0  # dB that the notes of a session may differ by
MARGIN = 6.0  # dB that the level of 30 ms may differ from that of a note's loudest 0.1 s
ON_COMB = 0.6  # share of its energy that they must have
LEAD = 0.005  # seconds before its onset at which a note is cut out


@dataclass(frozen=True)
class Span:
    """One note: samples from start to end, MIDI pitch (None where it is not sure), dB of its loudest 0.1 s."""

    start: int
    end: int
    pitch: float | None
    level: float


def notes_in(audio: np.ndarray) -> list[Span]:
    """The notes of a recording, in their order. Without a tracker (extra `antiphon[pitch]`) they have no pitches, and
    slurred ones are one."""
    return _notes_in(audio, fewest=1)


def _notes_in(audio: np.ndarray, fewest: int) -> list[Span]:
    """`notes_in`, or nothing at all if there are less than so many."""
    level = decibels(envelope(audio, TICK, 3))
    if not len(level):
        return []
    loud = level > max(float(level.max()) - QUIET, -80.0)
    times, midi = _contour(audio)
    struck = sorted({*_attacks(level, loud), *_wakes(loud)})
    slurred = [
        at for at in _changes(times, midi) if not any(0 <= (at - j) * TICK < SETTLES * SAMPLE_RATE for j in struck)
    ]
    starts = _apart(sorted({*struck, *slurred}))
    if len(starts) < fewest:
        return []
    spans = []
    for start, stop in pairwise([*starts, len(level)]):
        start += int(loud[start:stop].argmax())
        end = _end(loud, start, stop)
        if (end - start) * TICK >= SHORTEST * SAMPLE_RATE:
            spans.append(_span(audio, level, start, end, times, midi))
    return _without_slips(spans)


def played(spans: list[Span], fainter: float = FAINTER) -> list[Span]:
    """Those of a recording's spans that are notes, not breaths, touches or echoes: within so many dB of the loudest."""
    loudest = max((span.level for span in spans), default=0.0)
    return [span for span in spans if span.level > loudest - fainter]


def holds_several(audio: np.ndarray) -> int:
    """How many notes a recording holds in turn, if it is no recording of one: at least three, as loud as each other
    within FAINTER dB, of more than one pitch or with silence between them; else 0."""
    notes = played(_notes_in(audio, fewest=3))
    classes = {round(span.pitch) % 12 for span in notes if span.pitch is not None}
    apart = sum(after.start - before.end > 2 * TICK for before, after in pairwise(notes))
    return len(notes) if len(notes) >= 3 and (len(classes) > 1 or apart >= 2) else 0


def surely_one(audio: np.ndarray, pitch: float) -> bool:
    """Whether a recording is plainly one note of this MIDI pitch, so that `holds_several`, which needs the tracker and
    thirty times as long, would find no others: it is struck once or twice, and wherever it is loud nearly all of its
    lower partials are those of the pitch."""
    level = decibels(envelope(audio, TICK, 3))
    if not len(level):
        return False
    loud = level > max(float(level.max()) - QUIET, -80.0)
    struck = sorted({0, *_attacks(level, loud), *_wakes(loud)})
    counts = level > level.max() - FAINTER - MARGIN  # what is fainter is no note beside the loudest
    if np.maximum.reduceat(counts, struck).sum() > 2:
        return False
    teeth = comb(float(midi_to_hz(pitch)))
    size = teeth.size
    if len(audio) < size:
        return False
    starts = np.arange(0, len(audio) - size + 1, 3 * size // 4)
    ticks = np.minimum((starts + size // 2) // TICK, len(level) - 1)
    starts = starts[counts[ticks]]
    return all(teeth.share(audio[start:]) > ON_COMB for start in starts)


def _contour(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tracker = open_tracker()
    return tracker.contour(audio, SAMPLE_RATE) if tracker is not None else (np.zeros(0), np.zeros(0))


def _attacks(level: np.ndarray, loud: np.ndarray) -> list[int]:
    """Ticks at which the level begins to jump."""
    before = sliding_window_view(np.concatenate([np.full(8, np.inf), level]), 9).min(1)
    jumps = (level - before > JUMP) & loud
    firsts = np.flatnonzero(jumps & ~np.concatenate([[False], jumps[:-1]])).tolist()
    return [j - int(level[max(j - 8, 0) : j + 1][::-1].argmin()) for j in firsts]


def _wakes(loud: np.ndarray) -> list[int]:
    """Ticks at which silence ends."""
    return np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]])).tolist()


def _changes(times: np.ndarray, midi: np.ndarray) -> list[int]:
    """Ticks at which the pitch leaves one plateau for another."""
    if len(times) < 2:
        return []
    frames = max(round(PLATEAU / float(times[1] - times[0])), 3)
    if len(midi) < frames:
        return []
    parts = sliding_window_view(midi, frames)
    steady = np.flatnonzero(np.ptp(parts, axis=1) <= 0.5)  # a NaN is steady nowhere
    found, held = [], None
    for i, pitch in zip(steady.tolist(), np.median(parts[steady], axis=1).tolist(), strict=True):
        if held is not None and abs(pitch - held) > STEP and abs(abs(pitch - held) - 12) > 0.3:
            found.append(int(times[i] * SAMPLE_RATE / TICK))
        held = pitch if held is None or abs(pitch - held) > STEP else 0.9 * held + 0.1 * pitch
    return found


def _apart(starts: list[int]) -> list[int]:
    """Beginnings at least 0.1 s apart; of closer ones the first."""
    kept: list[int] = []
    for start in starts:
        if not kept or (start - kept[-1]) * TICK >= SHORTEST * SAMPLE_RATE:
            kept.append(start)
    return kept


def _end(loud: np.ndarray, start: int, stop: int) -> int:
    """The tick at which a note that begins at `start` has died away, `stop` if it has not by then."""
    silent = np.flatnonzero(~loud[start:stop])
    for at in silent:
        if not loud[start + at : start + at + 10].any():
            return start + int(at)
    return stop


def _alone(note: np.ndarray) -> float | None:
    """The pitch of a faint note, heard by itself and as loud as others."""
    tracker, peak = open_tracker(), float(np.abs(note).max(initial=0.0))
    return tracker.pitch(note * np.float32(0.5 / peak), SAMPLE_RATE) if tracker and peak > 1e-5 else None


def _without_slips(spans: list[Span]) -> list[Span]:
    """A note that is interrupted for a moment by what the tracker hears elsewhere is one."""
    kept: list[Span] = []
    for span in spans:
        if kept and _rings_on(kept[-1], span):
            kept[-1] = Span(kept[-1].start, span.end, kept[-1].pitch, kept[-1].level)
            continue
        kept.append(span)
        if len(kept) < 3:
            continue
        first, slip, last = kept[-3:]
        joined = slip.start - first.end <= TICK and last.start - slip.end <= TICK
        same = first.pitch is not None and last.pitch is not None and abs(first.pitch - last.pitch) < 0.4
        if joined and same and slip.end - slip.start < SLIP * SAMPLE_RATE:
            kept[-3:] = [Span(first.start, last.end, first.pitch, max(first.level, last.level))]
    return kept


def _rings_on(note: Span, after: Span) -> bool:
    """Whether what follows a note at once, far fainter and of no other pitch, is the end of it."""
    same = after.pitch is None or (note.pitch is not None and abs(after.pitch - note.pitch) < 0.5)
    return same and after.start - note.end <= TICK and after.level < note.level - RINGS


def _span(audio: np.ndarray, level: np.ndarray, start: int, end: int, times: np.ndarray, midi: np.ndarray) -> Span:
    first = max(round(start * TICK - LEAD * SAMPLE_RATE), 0)
    loudest = np.convolve(10 ** (level[start:end] / 10), np.full(10, 0.1), "same").max(initial=1e-16)
    inside = midi[(times * SAMPLE_RATE / TICK >= start + 2) & (times * SAMPLE_RATE / TICK < end)]
    sure = inside[~np.isnan(inside)]
    pitch = float(np.median(sure)) if len(sure) >= 3 and len(sure) > 0.3 * len(inside) else None
    if pitch is None and len(times):
        pitch = _alone(audio[first : end * TICK])
    return Span(first, min(end * TICK, len(audio)), pitch, 10 * float(np.log10(loudest)))
