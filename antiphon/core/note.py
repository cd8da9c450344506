"""One note to be played: the input of every voice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from numbers import Integral

from antiphon.core.errors import AntiphonError

LOWEST_PITCH, HIGHEST_PITCH = 0.0, 127.0  # 8 Hz .. 12.5 kHz
LONGEST_SECONDS = 300.0
LARGEST_SEED = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Note:
    """One note, as a player would read it from a score.

    pitch: MIDI key, 60 = C4, any real number in 0..127. seconds: how long it is held, > 0 and at most 300; its
    release follows. velocity: 1..127. instrument: a label of the voice; None lets the voice choose. style: style
    labels. seed: character (the same instrument, style and seed give the same instrument). take: the noise of this
    one note; both are whole numbers in 0..2^31 - 1. bend: piecewise-linear (seconds since onset, semitones) points in
    ascending order, held before the first and after the last. shaping: how far each of the voice's `knobs` is turned,
    in their order and units [networks/knobs.py]; missing ones are at 0. Raises AntiphonError for values out of range.
    """

    pitch: float
    seconds: float
    velocity: float = 100.0
    instrument: str | None = None
    style: tuple[str, ...] = ()
    seed: int = 0
    take: int = 0
    bend: tuple[tuple[float, float], ...] = ()
    shaping: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not LOWEST_PITCH <= self.pitch <= HIGHEST_PITCH:  # NaN fails too
            raise AntiphonError(f"pitch {self.pitch:g} is out of range: use 0 to 127 (60 is C4)")
        if not 0 < self.seconds <= LONGEST_SECONDS:
            raise AntiphonError(f"a note cannot last {self.seconds:g} s: use more than 0, at most {LONGEST_SECONDS:g}")
        if not 1 <= self.velocity <= 127:
            raise AntiphonError(f"velocity {self.velocity:g} is out of range: use 1 to 127")
        for name, number in (("seed", self.seed), ("take", self.take)):
            if not isinstance(number, Integral) or not 0 <= int(number) <= LARGEST_SEED:
                raise AntiphonError(f"a note's {name} cannot be {number!r}: use a whole number, 0 to {LARGEST_SEED}")
        if self.bend:
            self._check_bend()
        if not all(map(math.isfinite, self.shaping)):
            raise AntiphonError("a note's shaping must be finite numbers")

    def _check_bend(self) -> None:
        times = [time for time, _ in self.bend]
        if any(later < earlier for earlier, later in pairwise(times)):
            raise AntiphonError("a note's bend points must be in ascending order of time: sort them")
        if not all(math.isfinite(time) and abs(semitones) <= 127 for time, semitones in self.bend):
            raise AntiphonError("a note's bend points must have finite times and stay within 127 semitones")


def mixed(shapings: Sequence[tuple[float, ...]], shares: Sequence[float]) -> tuple[float, ...]:
    """The weighted sum of several notes' shapings; () if all are at 0."""
    found = tuple(
        sum(share * x for share, x in zip(shares, row, strict=True)) for row in zip_longest(*shapings, fillvalue=0.0)
    )
    return found if any(found) else ()
