"""A composer without a network, with everything that `ComposesMusic` promises, and scores to give it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.music.notation import BASS, DRUMS, MELODY, ROLES, Key, Metre, Score, ScoreNote, ScorePart
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.voice import VoiceInfo

PROGRAMS = {"melody": 73, "inner": 40, "chords": 0, "bass": 32, "drums": 0}
COMMON = Metre(4, 4)
HOME = {"melody": 72, "inner": 60, "chords": 55, "bass": 40, "drums": 36}


class FakeComposer(ComposesMusic):
    """Scales by seed. `asked`: the keywords of its last call."""

    kind = "fake"

    def __init__(self):
        self.info = VoiceInfo("composer")
        self.model = SimpleNamespace(labels=SimpleNamespace(instruments=("game", "song"), styles=()))
        self.asked: dict[str, object] = {}

    def describe(self):
        return "composes scales"

    def bars(self, count=None, *, given=None, keep=(), before=None, vary=None, amount=0.3, **how):
        self.asked = {"count": count, "given": given, "keep": keep, "before": before, "vary": vary, **how}
        if how["style"] not in (None, "game", "song"):
            raise AntiphonError(f"style '{how['style']}' is unknown: this voice knows game, song")
        rng = np.random.default_rng(how["seed"])
        if vary is not None:
            return replace(vary, parts=tuple(varied(part, amount, rng) for part in vary.parts))
        piece = given or before
        metre = how["metre"] or (piece.metres[-1] if piece else Metre(4, 4))
        kept = [given.parts[i] for i in keep or range(len(given.parts))] if given else []
        roles = how["parts"] or [role for role in (MELODY, BASS, DRUMS) if role not in [part.role for part in kept]]
        metres = given.metres if given else (metre,) * count
        parts = kept + [written(role, count, metre, rng) for role in roles]
        tempo = how["tempo"] or (piece.tempo if piece else 100.0)
        return Score(tuple(parts), metres, ((0, tempo),), ((0, how["key"] or Key(0)),), sections(count))


def sections(count: int) -> tuple[tuple[int, str], ...]:
    return tuple((bar, "AB"[bar // 4 % 2]) for bar in range(0, count, 4))


def written(role: str, bars: int, metre: Metre, rng: np.random.Generator) -> ScorePart:
    """A note on every beat."""
    beats = range(metre.steps // 24)
    notes = [ScoreNote(bar, 24 * beat, HOME[role] + int(rng.choice([0, 2, 4, 7])), 24, 80) for bar in range(bars)
             for beat in beats]  # fmt: skip
    return ScorePart(role, role, tuple(notes), PROGRAMS[role])


def varied(part: ScorePart, amount: float, rng: np.random.Generator) -> ScorePart:
    moved = tuple(n._replace(pitch=n.pitch + 2) if rng.random() < amount else n for n in part.notes)
    return replace(part, notes=moved)


def piece(*roles: str, bars: int = 4, seed: int = 9, metre: Metre = COMMON, tempo: float = 96.0) -> Score:
    """A score of one part for each role (default: one melody)."""
    rng = np.random.default_rng(seed)
    parts = tuple(written(role, bars, metre, rng) for role in roles or ("melody",))
    return Score(parts, (metre,) * bars, ((0, tempo),), ((0, Key(9, True)),))


def written_to(path: Path, *roles: str, **how: object) -> Path:
    """The file of such a piece."""
    return piece(*roles, **how).write(path, force=True)


assert set(PROGRAMS) == set(ROLES)
