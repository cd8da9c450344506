"""One MIDI channel: what its messages mean for the keys that sound and for how its controllers move.

Levels and defaults follow General MIDI, what a reset leaves alone RP-015, and what an increment counts RP-018. Of the
registered parameters, the bend range, the tunings and the modulation depth are implemented. Bank select and everything
else not named here is ignored.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

SOFT = 2 / 3  # factor of the soft pedal on the velocity
UNISON = 4  # most notes of one key that a pedal holds at once
NO_PARAMETER = (127, 127)
BEND_RANGE, FINE_TUNING, COARSE_TUNING, MODULATION_DEPTH = (0, 0), (0, 1), (0, 2), (0, 5)
_DEFAULTS = {BEND_RANGE: (2, 0), FINE_TUNING: (64, 0), COARSE_TUNING: (64, 0), MODULATION_DEPTH: (0, 64)}

Moves = list[tuple[float, float]]


@dataclass(slots=True, eq=False)
class Key:
    """A note being played; its end is -1 until it is known. number: counts the channel's notes, in order."""

    track: int
    program: int
    pitch: float
    velocity: int
    onset: float
    number: int
    end: float = -1.0


@dataclass(slots=True)
class Channel:
    """The state of a channel, what it has played (`notes`, in order) and how its controllers moved (steps of seconds
    and value, as in song.Part). All times in seconds, never falling."""

    program: int = 0
    sustain: bool = False
    sostenuto: bool = False
    caught: int = 0  # keys with a lower number are held by the sostenuto pedal
    soft: bool = False
    wheel: float = 0.0  # -1 .. 1
    modulation: int = 0
    volume: int = 100
    expression: int = 127
    parameter: tuple[int, int] = NO_PARAMETER  # the selected registered parameter
    registered: dict[tuple[int, int], tuple[int, int]] = field(default_factory=lambda: dict(_DEFAULTS))
    down: dict[tuple[int, int], deque[Key]] = field(default_factory=lambda: defaultdict(deque))  # by track and number
    held: dict[int, list[Key]] = field(default_factory=dict)  # released, but held by a pedal
    notes: list[Key] = field(default_factory=list)
    bend: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    vibrato: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    gain: Moves = field(default_factory=lambda: [(0.0, _gain(100, 127))])
    pan: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    cuts: list[float] = field(default_factory=list)

    def message(self, now: float, track: int, status: int, first: int, second: int) -> None:
        """A channel message: its status byte and data bytes."""
        match status >> 4:
            case 0x9 if second:
                self._press(now, track, first, second)
            case 0x8 | 0x9:
                self._release(now, track, first)
            case 0xB:
                self._control(now, first, second)
            case 0xC:
                self.program = first
            case 0xE:
                wheel = (second << 7 | first) - 8192
                self._bend(now, wheel / (8191 if wheel > 0 else 8192))

    # ---- keys and pedals ---------------------------------------------------------------------------------------------

    def _press(self, now: float, track: int, number: int, velocity: int) -> None:
        for key in self.held.pop(number, ()):  # pressed again while a pedal held it
            key.end = now
        struck = max(round(velocity * SOFT), 1) if self.soft else velocity
        key = Key(track, self.program, min(max(number + self._tuning(), 0.0), 127.0), struck, now, len(self.notes))
        self.down[track, number].append(key)
        self.notes.append(key)

    def _release(self, now: float, track: int, number: int) -> None:
        keys = self.down.get((track, number))
        if not keys:
            return
        key = keys.popleft()  # overlapping notes of one key: first in, first out
        if not self.sustain and key.number >= self.caught:
            key.end = now
            return
        held = self.held.setdefault(number, [])
        held.append(key)
        if len(held) > UNISON:
            held.pop(0).end = now

    def _pedals(self, now: float, sustain: bool, sostenuto: bool) -> None:
        """Sustain holds whatever is released while it is down; sostenuto, as on a piano, holds the keys whose dampers
        are up when it is pressed: those that are down and those that sustain holds."""
        if (sustain, sostenuto) == (self.sustain, self.sostenuto):
            return
        if sostenuto != self.sostenuto:
            self.caught = len(self.notes) if sostenuto else 0
        self.sustain, self.sostenuto = sustain, sostenuto
        if sustain:
            return
        for number, keys in list(self.held.items()):
            for key in keys:
                if key.number >= self.caught:
                    key.end = now
            self.held[number] = [key for key in keys if key.number < self.caught]

    def _all_keys_up(self, now: float) -> None:
        for (track, number), keys in self.down.items():
            for _ in range(len(keys)):
                self._release(now, track, number)
        self.down.clear()

    # ---- controllers -------------------------------------------------------------------------------------------------

    def _control(self, now: float, number: int, value: int) -> None:
        match number:
            case 1:
                self._modulate(now, value)
            case 6 | 38:
                self._enter(now, value, number == 38)
            case 7:
                self._level(now, value, self.expression)
            case 10:
                self.pan.append((now, max(-1.0, (value - 64) / 63)))
            case 11:
                self._level(now, self.volume, value)
            case 64:
                self._pedals(now, value >= 64, self.sostenuto)
            case 66:
                self._pedals(now, self.sustain, value >= 64)
            case 67:
                self.soft = value >= 64
            case 96 | 97:
                self._increment(now, 1 if number == 96 else -1)
            case 98 | 99:  # an unregistered parameter is selected
                self.parameter = NO_PARAMETER
            case 100:
                self.parameter = (self.parameter[0], value)
            case 101:
                self.parameter = (value, self.parameter[1])
            case 120:  # all sound off
                self._pedals(now, False, False)
                self._all_keys_up(now)
                self.cuts.append(now)
            case 121:
                self._reset(now)
            case 123 | 124 | 125 | 126 | 127:  # all notes off, and the modes that imply it
                self._all_keys_up(now)

    def _reset(self, now: float) -> None:
        """Reset all controllers: volume, pan, program and the registered parameters stay (RP-015)."""
        self._pedals(now, False, False)
        self.soft = False
        self.parameter = NO_PARAMETER
        self._bend(now, 0.0)
        self._modulate(now, 0)
        self._level(now, self.volume, 127)

    def _enter(self, now: float, value: int, fine: bool) -> None:
        """Data entry: one byte of the selected parameter."""
        if self.parameter not in self.registered:
            return
        coarse, before = self.registered[self.parameter]
        self._register(now, coarse if fine else value, value if fine else before)

    def _increment(self, now: float, by: int) -> None:
        """Increment or decrement the selected parameter: semitones of the coarse tuning, the lower byte of the others,
        which counts to 100 for the bend range (RP-018)."""
        if self.parameter not in self.registered:
            return
        high, low = self.registered[self.parameter]
        if self.parameter == COARSE_TUNING:
            self._register(now, min(max(high + by, 0), 127), low)
            return
        base = 100 if self.parameter == BEND_RANGE else 128
        value = min(max(high * base + low + by, 0), 128 * base - 1)
        self._register(now, value // base, value % base)

    def _register(self, now: float, high: int, low: int) -> None:
        self.registered[self.parameter] = (high, low)
        self._bend(now, self.wheel)
        self._modulate(now, self.modulation)

    def _tuning(self) -> float:
        """Semitones that the two tunings add to a key."""
        (high, low), (coarse, _) = self.registered[FINE_TUNING], self.registered[COARSE_TUNING]
        return coarse - 64 + ((high << 7 | low) - 8192) / 8192

    def _bend(self, now: float, wheel: float) -> None:
        self.wheel = wheel
        semitones, cents = self.registered[BEND_RANGE]
        _step(self.bend, now, wheel * min(semitones + cents / 100, 96.0))

    def _modulate(self, now: float, value: int) -> None:
        self.modulation = value
        semitones, parts = self.registered[MODULATION_DEPTH]
        _step(self.vibrato, now, value / 127 * min(semitones + parts / 128, 12.0))

    def _level(self, now: float, volume: int, expression: int) -> None:
        self.volume, self.expression = volume, expression
        _step(self.gain, now, _gain(volume, expression))


def _step(steps: Moves, now: float, value: float) -> None:
    if value != steps[-1][1]:
        steps.append((now, value))


def _gain(volume: int, expression: int) -> float:
    """General MIDI's 40 log10(v / 127) dB for each of the two, as an amplitude."""
    return (volume * expression / 127**2) ** 2
