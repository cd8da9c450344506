"""Several pitches as one writes them: "C4 E4 G4", "C3..C6", "C3..C6 every 3"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.labels import parse_pitch

EVERY = "every"


def parse_pitches(given: str | float | Sequence[str | float] | None) -> list[float]:
    """MIDI pitches, in the order written; none for None. Raises AntiphonError, in one line, for anything else."""
    if given is None:
        return []
    words = [given] if isinstance(given, str | int | float) else list(given)
    text = re.sub(r"\s*\.\.\s*", "..", " ".join(str(word) for word in words).replace(",", " "))
    tokens = text.split()
    found: list[float] = []
    while tokens:
        token = tokens.pop(0)
        low, mark, high = token.partition("..")
        if not mark:
            found.append(parse_pitch(token))
            continue
        step = 1.0
        if tokens and tokens[0].lower() == EVERY:
            step, tokens = _step(tokens[1:2], text), tokens[2:]
        found += _ladder(parse_pitch(low), parse_pitch(high), step, text)
    if not found:
        raise AntiphonError("no pitch is given: write C4, C4 E4 G4, or C3..C6 every 3")
    return found


def _step(words: Sequence[str], text: str) -> float:
    try:
        step = float(words[0])
    except (ValueError, IndexError):
        raise AntiphonError(f"'{text}': a number of semitones comes after 'every', as in C3..C6 every 3") from None
    if not 0.01 <= step <= 127:
        raise AntiphonError(f"'{text}': pitches cannot be {step:g} semitones apart: use 0.01 to 127")
    return step


def _ladder(low: float, high: float, step: float, text: str) -> list[float]:
    if high < low:
        raise AntiphonError(f"'{text}': a range goes upwards, as in C3..C6")
    return [round(low + k * step, 6) for k in range(int((high - low) / step + 1e-6) + 1)]
