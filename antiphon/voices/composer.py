"""A voice that composes: pieces out of a style and a seed, and what goes on from, along with or away from given
ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.data.bar_measures import NAMES as MEASURES
from antiphon.data.phrases import BINS, CONTROLS, MOST_PARTS, Piece, Reading, habits, tempo_class
from antiphon.music.harmony import estimate_key, home
from antiphon.music.notation import ROLES, Key, Metre, Score
from antiphon.music.tabulate import FINER, PLACES, Tabulated, chosen_parts, tabulate, taken_up
from antiphon.networks.composer import ComposerConfig, ComposerModel
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.choosing import CANDIDATES, judge_of, phrases
from antiphon.voices.forms import SOMETIMES, Section, backs, form, markers, plan, tacet
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config
from antiphon.voices.lineups import Seat, Setting, part_range, seats_for, settings_of
from antiphon.voices.notating import Notator
from antiphon.voices.writing import Blocks, Draft, Taste, Writer, alone
from antiphon.voices.writing_many import best_of

BARS, MOST = 32, 1000
USUAL_KEYS = (0, 7, 5, 2, 10, 9, 3)  # tonics of major keys, the most usual first; minor ones lie three semitones lower


class ComposerVoice(ComposesMusic):
    kind = "composer"
    model: ComposerModel

    def describe(self) -> str:
        return f"no sounds: it composes, in the style of a {' or '.join(self.styles)}"

    @property
    def styles(self) -> tuple[str, ...]:
        """The names of its styles."""
        return self.instruments

    def untrained(self, seed: int = 0) -> ComposerVoice:
        """The same with fresh weights; what it has counted stays."""
        fresh = super().untrained(seed)
        for name, table in self.model.named_buffers():
            dict(fresh.model.named_buffers())[name].copy_(table)
        return fresh

    def bars(
        self,
        count: int | None = None,
        *,
        style: str | None = None,
        given: Score | None = None,
        keep: Sequence[int] = (),
        before: Score | None = None,
        vary: Score | None = None,
        amount: float = 0.3,
        tempo: float | None = None,
        key: Key | str | None = None,
        metre: Metre | str | None = None,
        density: float | None = None,
        parts: Sequence[str] | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        controls: Mapping[str, float] | None = None,
    ) -> Score:
        if sum(piece is not None for piece in (given, before, vary)) > 1:
            raise AntiphonError("given, before and vary are three things: use one of them")
        rng = np.random.default_rng((seed, 24))
        told = dict(controls or {}) | ({} if density is None else {"density": density})
        request = _Request(self, rng, self._style(style), _key(key), _metre(metre), tempo, _roles(parts), _bins(told))
        taste = Taste(temperature=temperature)
        if vary is not None:
            return request.variation(vary, amount, taste)
        if given is not None:
            return request.company(given, list(keep), count, taste)
        if before is not None:
            return request.continuation(before, _count(count), taste)
        return request.piece(_count(count), taste)

    def sketch(self, count: int, style: str, seed: int) -> Draft:
        """The draft of a piece as `bars` begins it, with no notes yet."""
        rng = np.random.default_rng((seed, 24))
        return _Request(self, rng, self._style(style), None, None, None, None, {}).sketch(count).draft

    def _style(self, name: str | None) -> int | None:
        if name is None:
            return None
        return self.instruments.index(self.resolve_style([name])[0])


def _count(count: int | None) -> int:
    count = BARS if count is None else count
    if not 1 <= count <= MOST:
        raise AntiphonError(f"cannot compose {count} bars: use 1 to {MOST:,}")
    return count


def _check_length(score: Score) -> None:
    if score.bars > MOST:  # one stray note makes thousands of bars, each of which would be written
        raise AntiphonError(f"a piece of {score.bars:,} bars is too long: give one of {MOST:,} at most")


def _key(key: Key | str | None) -> Key | None:
    return Key.parse(key) if isinstance(key, str) else key


def _metre(metre: Metre | str | None) -> Metre | None:
    found = Metre.parse(metre) if isinstance(metre, str) else metre
    if found is not None and found.steps > PLACES * FINER:
        raise AntiphonError(f"a bar of {found} is too long: use up to eight beats")
    return found


def _roles(parts: Sequence[str] | None) -> list[int] | None:
    for name in parts or ():
        if name not in ROLES:
            raise AntiphonError(f"no part is called '{name}': use {', '.join(ROLES)}")
    if parts is not None and not 1 <= len(parts) <= MOST_PARTS:
        raise AntiphonError(f"cannot write {len(parts)} parts: use 1 to {MOST_PARTS}")
    return None if parts is None else [ROLES.index(name) for name in parts]


def _bins(told: Mapping[str, float]) -> dict[str, int]:
    """0..1 to bins."""
    for name, value in told.items():
        if name not in CONTROLS:
            raise AntiphonError(f"nothing is called '{name}' here: use {', '.join(CONTROLS)}")
        if not 0 <= value <= 1:
            raise AntiphonError(f"a {name} of {value:g} is out of range: use 0 (little) to 1 (much)")
    return {name: min(int(value * BINS), BINS - 1) + 1 for name, value in told.items()}


class _Sketch(NamedTuple):
    draft: Draft
    seats: Sequence[Seat]
    sections: Sequence[Section]
    metre: Metre
    key: Key
    tempo: float


class _Request:
    """What was asked for, and the four ways to write it."""

    def __init__(
        self, voice: ComposerVoice, rng: np.random.Generator, style: int | None, key: Key | None, metre: Metre | None,
        tempo: float | None, roles: list[int] | None, bins: dict[str, int],
    ):  # fmt: skip
        self.voice, self.model, self.rng = voice, voice.model, rng
        self.style, self.key, self.metre, self.tempo, self.roles, self.bins = style, key, metre, tempo, roles, bins

    # ---- a new piece ---------------------------------------------------------------------------------------------

    def piece(self, count: int, taste: Taste) -> Score:
        sketch = self.sketch(count)
        self._write(sketch.draft, sketch.draft.piece.style, taste)
        notator = Notator(home(sketch.key), self.rng, sketch.tempo)
        parts = [notator.part(sketch.draft, i, seat.name, seat.program) for i, seat in enumerate(sketch.seats)]
        metres, marks = (sketch.metre,) * count, tuple(markers(sketch.sections))
        return Score(tuple(parts), metres, ((0, float(sketch.tempo)),), ((0, sketch.key),), marks)

    def sketch(self, count: int) -> _Sketch:
        """All of a piece but its notes."""
        setting = self._setting()
        metre = self.metre or setting.metre
        key = self.key or self._usual_key(setting.mode)
        tempo = self.tempo or setting.tempo
        seats = seats_for(self.model, setting, self.roles, self.rng) if self.roles else setting.seats
        sections = form(count, self.rng)
        piece = _blank([metre] * count, seats, setting, key, tempo, self.bins)
        piece.earlier[:] = plan(sections, backs(self.model, setting.style), self.rng)
        draft = Draft(piece, self._ranges(setting.style, seats, home(key)), range(len(seats)))
        draft.habits = _habits(seats)
        draft.tacet = tacet(sections, draft.habits[:, 0], self.rng)
        draft.habits[:, 0] *= draft.habits[:, 0] < SOMETIMES  # the others rest by whole sections
        draft.dynamic = float(self.model.dynamic[setting.style]) > 0.5
        return _Sketch(draft, seats, sections, metre, key, tempo)

    def _setting(self, **wanted: Any) -> Setting:
        """One of the training pieces', in the style and metre and with the mode that are asked for, as far as it can
        be had."""
        known = settings_of(self.model)
        style = self.style if self.style is not None else int(self.rng.integers(len(self.voice.styles)))
        tests = [
            lambda s: s.style == style,
            lambda s: self.key is None or s.mode == self.key.minor,
            lambda s: self.metre is None or s.metre == self.metre,
            lambda s: self.roles is None or set(self.roles) <= {seat.role for seat in s.seats},
            lambda s: self.tempo is None or 0.8 <= s.tempo / self.tempo <= 1.25,
            lambda s: all(abs(s.controls[CONTROLS.index(n)] - b) < 2 for n, b in self.bins.items()),
        ]
        for test in tests:
            known = [s for s in known if test(s)] or known
        found = known[int(self.rng.integers(len(known)))]
        mode = int(self.key.minor) if self.key else found.mode
        return replace(found, style=style, mode=mode)

    def _usual_key(self, mode: int) -> Key:
        chances = 0.75 ** np.arange(len(USUAL_KEYS))
        tonic = USUAL_KEYS[int(self.rng.choice(len(USUAL_KEYS), p=chances / chances.sum()))]
        return Key((tonic - 3 * mode) % 12, bool(mode))

    def _ranges(self, style: int, seats: Sequence[Seat], shift: int) -> np.ndarray:
        return np.array([part_range(self.model, style, seat, shift) for seat in seats])

    def _write(self, draft: Draft, style: int, taste: Taste) -> None:
        draft.dynamic = float(self.model.dynamic[style]) > 0.5
        judge = judge_of(self.model, style)
        if judge is None or draft.model is not None:
            alone(self.model, Writer(draft, taste, self.rng).write())
            return
        seeds = self.rng.integers(1 << 62, size=CANDIDATES).tolist()
        drafts = [draft, *(draft.copy() for _ in seeds[1:])]
        writers = [Writer(d, taste, np.random.default_rng(s)) for d, s in zip(drafts, seeds, strict=True)]
        best_of(self.model, writers, phrases(draft), judge)

    # ---- along with given parts ----------------------------------------------------------------------------------

    def company(self, given: Score, keep: list[int], count: int | None, taste: Taste) -> Score:
        _check_length(given)
        kept = self._kept(given, keep)
        if count not in (None, given.bars):
            raise AntiphonError(f"the piece that is given has {given.bars} bars: leave the count out")
        known = tabulate(given, self.key or estimate_key(given), kept)
        setting = self._setting_like(known)
        taken = {int(role) for role in known.piece.roles}
        if self.roles is not None:
            seats = seats_for(self.model, setting, self.roles, self.rng)
        else:
            seats = [seat for seat in setting.seats if seat.role not in taken] or list(setting.seats[1:2])
        seats = seats[: MOST_PARTS - len(kept)]
        piece = _joined(known.piece, seats, setting, self.bins)
        blocks = Blocks(Reading(known.piece))
        own = np.array([[0, 255]] * len(kept))
        ranges = np.concatenate([own, self._ranges(setting.style, seats, known.shift).reshape(-1, 2)])
        piece.chords[:] = -1
        draft = Draft(piece, ranges, range(piece.parts), blocks, kept=range(len(kept)))
        draft.habits = np.concatenate([np.zeros((len(kept), 3)), _habits(seats)])
        self._write(draft, setting.style, taste)
        notator = Notator(known.shift, self.rng, given.tempo)
        new = [notator.part(draft, len(kept) + i, seat.name, seat.program) for i, seat in enumerate(seats)]
        keys = given.keys or ((0, Key((((9 if piece.mode else 0) - known.shift) % 12), bool(piece.mode))),)
        return replace(given, parts=(*(given.parts[i] for i in kept), *new), keys=keys, warnings=())

    @staticmethod
    def _kept(given: Score, keep: list[int]) -> list[int]:
        kept = list(dict.fromkeys(keep)) or list(range(len(given.parts)))
        if any(not 0 <= i < len(given.parts) for i in kept):
            raise AntiphonError(f"there is no such part to keep: the piece has {len(given.parts)}, counted from 0")
        if len(kept) >= MOST_PARTS:
            raise AntiphonError(f"cannot write around {len(kept)} parts: keep {MOST_PARTS - 1} at most")
        return kept

    def _setting_like(self, known: Tabulated) -> Setting:
        """A setting in the style that is asked for, or else in the one whose line-ups are most like the given parts."""
        if self.style is None:
            own = set(known.piece.families.tolist())
            drums = 16 in own
            scores = []
            for i in range(len(self.voice.styles)):
                mine = [s for s in settings_of(self.model) if s.style == i]
                theirs = [{seat.family for seat in s.seats} for s in mine]
                alike = float(np.mean([len(t & own) / max(len(t), 1) for t in theirs] or [0.0]))
                scores.append(alike + 0.3 * (drums == any(16 in t for t in theirs)))
            self.style = int(np.argmax(scores))
        found = self._setting()
        return replace(found, mode=known.piece.mode)

    # ---- further on ----------------------------------------------------------------------------------------------

    def continuation(self, before: Score, count: int, taste: Taste) -> Score:
        chosen = chosen_parts(before, 1)
        known = tabulate(before, self.key or estimate_key(before), chosen)
        setting = self._setting_like(known)
        metre = self.metre or before.metres[-1]
        if metre.steps > PLACES * FINER:
            raise AntiphonError(f"a bar of {metre} is too long: use up to eight beats")
        old, begin = known.piece, known.piece.bars
        seats = [Seat(int(r), p, int(s)) for r, p, s in zip(old.roles, known.programs, old.seats, strict=True)]
        sections = form(count, self.rng)
        ahead = _blank([metre] * count, seats, replace(setting, mode=old.mode), estimate_key(before), before.tempo, {})
        piece = _appended(old, ahead, self.bins)
        piece.earlier[begin:] = begin + plan(sections, backs(self.model, setting.style), self.rng, begin)
        size = sections[0].bars
        if begin >= size and (old.places[begin - size :] == ahead.places[0]).all():
            piece.earlier[begin : begin + size] = np.arange(begin - size, begin)  # it goes on in its manner
        blocks = Blocks(Reading(old))
        ranges = self._ranges(setting.style, seats, known.shift)
        for part in range(old.parts):
            keys = old.notes[old.notes[:, 1] == part, 3]
            if len(keys):
                ranges[part] = [min(ranges[part][0], keys.min()), max(ranges[part][1], keys.max())]
        draft = Draft(piece, ranges, range(old.parts), blocks, begin, habits=habits(old))
        self._write(draft, setting.style, taste)
        notator = Notator(known.shift, self.rng, before.tempo, _loudness(before, chosen))
        parts = [
            notator.part(draft, i, before.parts[c].name, before.parts[c].program, begin) for i, c in enumerate(chosen)
        ]
        key = self.key or before.key or Key(((9 if old.mode else 0) - known.shift) % 12, bool(old.mode))
        tempo = self.tempo or before.tempos[-1][1]
        names = tuple(markers(sections, before.markers))
        return Score(tuple(parts), (metre,) * count, ((0, tempo),), ((0, key),), names)

    # ---- otherwise -----------------------------------------------------------------------------------------------

    def variation(self, vary: Score, amount: float, taste: Taste) -> Score:
        if not 0 <= amount <= 1:
            raise AntiphonError(f"an amount of {amount:g} is out of range: use 0 (hardly varied) to 1 (a new piece)")
        _check_length(vary)
        chosen = chosen_parts(vary, 1)
        known = tabulate(vary, self.key or estimate_key(vary), chosen)
        setting = self._setting_like(known)
        old = known.piece
        seats = [Seat(int(r), p, int(s)) for r, p, s in zip(old.roles, known.programs, old.seats, strict=True)]
        chords = old.chords.copy()
        chords[self.rng.random(old.bars) < 0.7 * amount] = -1
        piece = replace(old, chords=chords, style=setting.style, controls=_with_bins(old.controls, self.bins))
        ranges = self._ranges(setting.style, seats, known.shift)
        for part in range(old.parts):
            keys = old.notes[old.notes[:, 1] == part, 3]
            ranges[part] = [min(ranges[part][0], keys.min()), max(ranges[part][1], keys.max())]
        draft = Draft(piece, ranges, range(old.parts), model=Reading(old), stays=1 - amount)
        self._write(draft, setting.style, taste)
        notator = Notator(known.shift, self.rng, vary.tempo, _loudness(vary, chosen), [vary.parts[i] for i in chosen])
        parts = list(vary.parts)
        for i, c in enumerate(chosen):
            parts[c] = notator.part(draft, i, vary.parts[c].name, vary.parts[c].program)
        tempos = vary.tempos if self.tempo is None else ((0, self.tempo),)
        return replace(vary, parts=tuple(parts), tempos=tempos, warnings=())


# ---- pieces to write in ----------------------------------------------------------------------------------------------


def _blank(
    metres: Sequence[Metre], seats: Sequence[Seat], setting: Setting, key: Key, tempo: float, bins: Mapping[str, int]
) -> Piece:
    count = len(metres)
    return Piece(
        notes=np.zeros((0, 6), np.int16),
        places=np.array([m.steps // FINER for m in metres], np.int16),
        compound=np.array([m.unit >= 8 and m.beats % 3 == 0 for m in metres]),
        chords=np.full((count, 2), -1, np.int16),
        earlier=np.full(count, -1, np.int16),
        roles=np.array([seat.role for seat in seats], np.int16),
        families=np.array([seat.family for seat in seats], np.int16),
        seats=np.array([seat.seat for seat in seats], np.int16),
        controls=_with_bins(np.array(setting.controls), bins),
        style=setting.style,
        mode=setting.mode,
        first=0,
        tempo=tempo_class(tempo),
    )


def _habits(seats: Sequence[Seat]) -> np.ndarray:
    return np.array([(seat.rests, seat.repeats, seat.returns) for seat in seats], float).reshape(-1, 3) / 100


def _with_bins(controls: np.ndarray, bins: Mapping[str, int]) -> np.ndarray:
    found = np.array(controls)
    for name, value in bins.items():
        found[CONTROLS.index(name)] = value
    return found


def _joined(old: Piece, seats: Sequence[Seat], setting: Setting, bins: Mapping[str, int]) -> Piece:
    """A piece with further parts; what its bars take up is found in the parts that it has."""
    new = {"roles": [s.role for s in seats], "families": [s.family for s in seats], "seats": [s.seat for s in seats]}
    values: dict[str, Any] = {
        name: np.concatenate([getattr(old, name), np.array(more, np.int16)]) for name, more in new.items()
    }
    controls = _with_bins(np.array(setting.controls), bins)
    earlier = taken_up(old.notes, old.places)
    return replace(old, **values, earlier=earlier, style=setting.style, controls=controls, chords=old.chords.copy())


def _appended(old: Piece, ahead: Piece, bins: Mapping[str, int]) -> Piece:
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(old, name), getattr(ahead, name)])
        for name in ("places", "compound", "chords", "earlier")
    }
    return replace(old, **joined, style=ahead.style, controls=_with_bins(ahead.controls, bins))


def _loudness(score: Score, chosen: Sequence[int]) -> list[float]:
    """The mean velocity of each part."""
    return [float(np.mean([n.velocity for n in score.parts[i].notes] or [80])) for i in chosen]


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {"width": (16, 2048), "layers": (1, 48), "heads": (1, 64), "judge": (0, 1024)}


def write(model: ComposerModel) -> dict[str, Any]:
    """As voices without a critic have always been written."""
    config = write_config(model)["config"]
    return {"config": {name: value for name, value in config.items() if name != "judge" or value}}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ComposerModel:
    config = read_numbers(ComposerConfig, {"judge": 0} | meta["config"], LIMITS)  # older voices have none
    if config.width % (2 * config.heads):
        raise ValueError("its width is not a multiple of twice its heads")
    labels = read_labels(meta["labels"])
    claims = {
        "embed.weight": (None, config.width),
        f"layers.{config.layers - 1}.up.weight": (config.hidden, config.width),
        "dynamic": (len(labels.instruments),),
    } | ({"judge.first.weight": (config.judge, len(MEASURES))} if config.judge else {})
    check_sizes(claims, tensors)
    settings_of(tensors["settings"], len(labels.instruments))
    return ComposerModel(config, labels)


KINDS = {"composer": Kind(ComposerModel, ComposerVoice, write, read)}
