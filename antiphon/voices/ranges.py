"""What a voice was taught, in pitch: beyond it, it guesses."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.data.labelling.row import note_name
from antiphon.voices.voice import Voice


def beyond(voice: Voice, label: str, pitches: Sequence[float]) -> tuple[str, list[float]]:
    """What an instrument was trained on, in words, and those pitches that lie outside; nothing where that is not
    known."""
    if not voice.pitched or label not in voice.info.range_of:
        return "", []
    lowest, highest = voice.info.range_of[label]
    learned = f"{label} was trained on {note_name(round(lowest))} to {note_name(round(highest))}"
    return learned, [pitch for pitch in pitches if not lowest - 0.5 <= pitch <= highest + 0.5]
