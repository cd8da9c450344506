"""Scores put together: one after another, and given parts beside new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from antiphon.music.notation import Key, Score, ScorePart

Keys = tuple[tuple[int, Key], ...]


def joined(first: Score, then: Score) -> Score:
    """One score after another. A part of the second goes on as that of the first which has its name and program or,
    failing that, its role, each with one; any other is new. What still rings from the first is not struck again.
    Tempos, keys and markers move along."""
    begin, bars = int(first.starts[-1]), first.bars
    parts = list(first.parts)
    taken: set[int] = set()
    for part in then.parts:
        notes = tuple(note._replace(bar=note.bar + bars) for note in part.notes)
        index = _partner(part, first.parts, taken)
        if index is None:
            parts.append(replace(part, notes=notes))
        else:
            taken.add(index)
            ringing = {
                n.pitch: first.onset(n) + n.length for n in parts[index].notes if first.onset(n) + n.length > begin
            }
            free = (n for n, old in zip(notes, part.notes, strict=True)
                    if begin + then.onset(old) >= ringing.get(n.pitch, 0))  # fmt: skip
            parts[index] = replace(parts[index], notes=(*parts[index].notes, *free))
    return replace(
        first,
        parts=tuple(parts),
        metres=first.metres + then.metres,
        tempos=first.tempos + tuple((begin + step, bpm) for step, bpm in then.tempos if step or bpm != _last(first)),
        keys=_moved(first.keys, then.keys, bars),
        markers=first.markers + tuple((bar + bars, text) for bar, text in then.markers),
    )


def _partner(part: ScorePart, others: Sequence[ScorePart], taken: set[int]) -> int | None:
    """Which of the other parts a part goes on from."""
    free = [i for i in range(len(others)) if i not in taken and others[i].is_drum == part.is_drum]
    same = [i for i in free if (others[i].name, others[i].program) == (part.name, part.program)]
    alike = [i for i in free if others[i].role == part.role]
    return next(iter(same + alike), None)


def _last(score: Score) -> float:
    return score.tempos[-1][1]


def _moved(before: Keys, after: Keys, bars: int) -> Keys:
    """Changes of keys, without those that change nothing."""
    kept = [(bar + bars, key) for bar, key in after if bar or not before or key != before[-1][1]]
    return before + tuple(kept)
