"""One MIDI channel: what its messages mean for the keys that sound and for how its controllers move.

Levels and defaults follow General MIDI, what a reset leaves alone RP-015, and what an increment counts RP-018. Of the
registered parameters, the bend range, the tunings and the modulation depth are implemented. Bank select only decides
between drum kits and melodic instruments. Messages that are not played are counted.
"""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from math import log2

from antiphon.core.units import midi_to_hz
from antiphon.music.drums import DRUM_CHANNEL, as_struck, is_known, kit_of

SOFT = 2 / 3  # factor of the soft pedal on the velocity
UNISON = 4  # most notes of one key that a pedal holds at once
NO_PARAMETER = (127, 127)
BEND_RANGE, FINE_TUNING, COARSE_TUNING, MODULATION_DEPTH = (0, 0), (0, 1), (0, 2), (0, 5)
TUNING_PROGRAM, TUNING_BANK, MPE_ZONE = (0, 3), (0, 4), (0, 6)
_DEFAULTS = {BEND_RANGE: (2, 0), FINE_TUNING: (64, 0), COARSE_TUNING: (64, 0), MODULATION_DEPTH: (0, 64),
             TUNING_PROGRAM: (0, 0), TUNING_BANK: (0, 0)}  # fmt: skip
MOST_RETUNED = 0.49  # semitones: a drum that is tuned further would be another key's

# Controllers that are not implemented: the values at which they would change nothing, and their names
_SOUNDS = {number: (range(64, 65), "sound controller message{s}") for number in range(70, 80)}
UNPLAYED = _SOUNDS | {
    2: (range(0), "breath message{s}"),
    4: (range(0), "foot controller message{s}"),
    8: (range(64, 65), "balance message{s}"),
    65: (range(64), "portamento message{s}"),
    68: (range(64), "legato pedal message{s}"),
    69: (range(64), "hold pedal message{s}"),
    84: (range(0), "portamento message{s}"),
    91: (range(1), "reverb message{s}"),
    92: (range(1), "tremolo message{s}"),
    93: (range(1), "chorus message{s}"),
    94: (range(1), "detune message{s}"),
    95: (range(1), "phaser message{s}"),
    126: (range(0), "mono mode message{s}"),
}

Moves = list[tuple[float, float]]


@dataclass(slots=True)
class Master:
    """State shared by all channels of a sound module. standard: the last reset's, "", gm, gm2, gs or xg; volume: 0..1;
    tune: semitones; transpose: semitones, of melodic parts only; tunings: pitches of keys, by (bank, program).
    unplayed: counts what is not played as written, by name, with {s} where the plural has an s."""

    standard: str = ""
    volume: float = 1.0
    tune: float = 0.0
    transpose: float = 0.0
    tunings: dict[tuple[int, int], dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    unplayed: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class Key:
    """A note being played; its end is -1 until it is known. channel: the channel whose part it belongs to; kit: its
    key map, "" if it is melodic; number: counts the channel's notes, in order."""

    track: int
    channel: int
    program: int
    kit: str
    pitch: float
    velocity: int
    onset: float
    number: int
    end: float = -1.0


@dataclass(slots=True)
class Channel:
    """The state of a channel, what it has played (`notes`, in order) and how its controllers moved (steps of seconds
    and value, as in song.Part). All times in seconds, never falling.

    number: 0..15. drum_part: whether it is a kit unless a bank says otherwise; kit: its key map since its last program
    change, see drums.kit_of. leader: the manager of the MPE zone that it belongs to, whose bends and tunings add to its
    own. shift: semitones; detune: Hz; scale: semitones by pitch class, from C."""

    number: int = 0
    master: Master = field(default_factory=Master)
    leader: "Channel | None" = None
    program: int = 0
    bank: tuple[int, int] = (0, 0)
    variation: str = ""  # the program's bank, if that is not General MIDI's
    drum_part: bool = False
    kit: str = ""
    shift: float = 0.0
    detune: float = 0.0
    scale: dict[int, float] = field(default_factory=dict)
    sustain: bool = False
    sostenuto: bool = False
    caught: int = 0  # keys with a lower number are held by the sostenuto pedal
    soft: bool = False
    wheel: float = 0.0  # -1 .. 1
    modulation: int = 0
    volume: int = 100
    expression: int = 127
    parameter: tuple[int, int] = NO_PARAMETER  # the selected registered parameter
    unregistered: bool = False  # whether an unregistered one (NRPN) is selected
    registered: dict[tuple[int, int], tuple[int, int]] = field(default_factory=lambda: dict(_DEFAULTS))
    down: dict[tuple[int, int], deque[Key]] = field(default_factory=lambda: defaultdict(deque))  # by track and number
    held: dict[int, list[Key]] = field(default_factory=dict)  # released, but held by a pedal
    struck: int = 0  # how many notes it has played
    notes: list[Key] = field(default_factory=list)
    bend: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    vibrato: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    gain: Moves = field(default_factory=lambda: [(0.0, gain_of(100, 127))])
    pan: Moves = field(default_factory=lambda: [(0.0, 0.0)])
    cuts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set_drum_part(self.number == DRUM_CHANNEL)

    def message(self, now: float, track: int, status: int, first: int, second: int) -> None:
        """A channel message: its status byte and data bytes."""
        match status >> 4:
            case 0x9 if second:
                self._press(now, track, first, second)
            case 0x8 | 0x9:
                self._release(now, track, first)
            case 0xB:
                self.control(now, first, second)
            case 0xC:
                self.choose(first)
            case 0xE:
                wheel = wheel_of(first, second)
                if self.kit and wheel:
                    self.master.unplayed["pitch bend{s} of drums"] += 1
                self.turn(now, wheel)
            case 0xA if second:
                self.master.unplayed["aftertouch message{s}"] += 1
            case 0xD if first:
                self.master.unplayed["aftertouch message{s}"] += 1

    # ---- who plays ---------------------------------------------------------------------------------------------------

    def choose(self, program: int) -> None:
        """A program change, with which the selected bank takes effect."""
        standard, (high, low) = self.master.standard, self.bank
        self.program = program
        self.kit = kit_of(standard, high, program, self.drum_part)
        plain = (0, 121) if standard in ("", "gm2") else (0,)
        varied = not self.kit and standard != "gm" and (high not in plain or (low > 0 and standard != "gs"))
        self.variation = f"{high}:{low}" if varied else ""

    def set_drum_part(self, drum_part: bool) -> None:
        """Make the channel a kit or a melodic part, until a bank says otherwise."""
        self.drum_part = drum_part
        if self.master.standard == "xg":
            self.bank = (127 * drum_part, 0)
        self.choose(self.program)

    def reset(self, now: float) -> None:
        """Return to the state after power-on, as a SysEx reset does; keys that are down stay down."""
        self._reset(now)
        self.registered |= _DEFAULTS
        self.leader, self.shift, self.detune, self.scale = None, 0.0, 0.0, {}
        self.program, self.bank = 0, (0, 0)
        self.set_drum_part(self.number == DRUM_CHANNEL)
        self.level(now, 100, 127)
        _step(self.pan, now, 0.0)
        self.turn(now, 0.0)
        self._modulate(now, 0)

    def join(self, now: float, leader: "Channel") -> None:
        """Become a member of an MPE zone: play its leader's instrument, with a bend range of four octaves."""
        self.leader, self.drum_part, self.kit = leader, False, ""
        self.program = self.program or leader.program
        self.register(now, BEND_RANGE, 48, 0)

    def leave(self, now: float) -> None:
        """Leave the MPE zone."""
        self.leader = None
        self.set_drum_part(self.number == DRUM_CHANNEL)
        self.register(now, BEND_RANGE, 2, 0)

    # ---- keys and pedals ---------------------------------------------------------------------------------------------

    def _press(self, now: float, track: int, number: int, velocity: int) -> None:
        for key in self.held.pop(number, ()):  # pressed again while a pedal held it
            key.end = now
        struck = max(round(velocity * SOFT), 1) if self.soft else velocity
        kit, program = as_struck(self.kit, self.program, number)
        pitch = min(max(self._pitch(number, bool(kit)), 0.0), 127.0)
        channel = self.leader.number if self.leader else self.number
        key = Key(track, channel, program, kit, pitch, struck, now, self.struck)
        self.struck += 1
        self.down[track, number].append(key)
        self.notes.append(key)
        if kit and not is_known(kit, number):
            self.master.unplayed[f"stroke{{s}} of kit {program} on channel {channel + 1}"] += 1
        elif self.variation:
            self.master.unplayed[f"note{{s}} of bank {self.variation} on channel {channel + 1}"] += 1

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
            self.caught = self.struck if sostenuto else 0
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

    # ---- while somebody plays ----------------------------------------------------------------------------------------

    def taken(self) -> tuple[list[Key], bool]:
        """The notes since the last time, and whether all sound was to stop. What lies behind is forgotten, and of the
        controllers' movements all but the last, so that a channel may be played for hours."""
        found, cut = self.notes, bool(self.cuts)
        self.notes, self.cuts = [], []
        for moves in (self.bend, self.vibrato, self.gain, self.pan):
            del moves[:-1]
        return found, cut

    def forget(self, number: int, key: Key) -> None:
        """A note of a key ended by itself, or was cut off: lifting the key says nothing about it."""
        for (track, other), keys in list(self.down.items()):
            if other == number and key in keys:
                keys.remove(key)
                if not keys:
                    del self.down[track, other]
        if key in self.held.get(number, ()):
            self.held[number].remove(key)

    # ---- controllers -------------------------------------------------------------------------------------------------

    def control(self, now: float, number: int, value: int) -> None:
        """A control change."""
        nothing, name = UNPLAYED.get(number, (range(0), ""))
        if name and value not in nothing:
            self.master.unplayed[name] += 1
        match number:
            case 0:
                self.bank = (value, self.bank[1])
            case 32:
                self.bank = (self.bank[0], value)
            case 1:
                self._modulate(now, value)
            case 6 | 38:
                self._enter(now, value, number == 38)
            case 7:
                self.level(now, value, self.expression)
            case 10:
                self.pan.append((now, pan_of(value)))
            case 11:
                self.level(now, self.volume, value)
            case 64:
                self._pedals(now, value >= 64, self.sostenuto)
            case 66:
                self._pedals(now, self.sustain, value >= 64)
            case 67:
                self.soft = value >= 64
            case 96 | 97:
                self._increment(now, 1 if number == 96 else -1)
            case 98 | 99:
                self.parameter, self.unregistered = NO_PARAMETER, True
            case 100:
                self.parameter, self.unregistered = (self.parameter[0], value), False
            case 101:
                self.parameter, self.unregistered = (value, self.parameter[1]), False
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
        self.parameter, self.unregistered = NO_PARAMETER, False
        self.turn(now, 0.0)
        self._modulate(now, 0)
        self.level(now, self.volume, 127)

    def _enter(self, now: float, value: int, fine: bool) -> None:
        """Data entry: one byte of the parameter in hand."""
        if self.unregistered and not fine:
            self.master.unplayed["NRPN setting{s}"] += 1
        if self.parameter not in self.registered:
            return
        coarse, before = self.registered[self.parameter]
        self.register(now, self.parameter, coarse if fine else value, value if fine else before)

    def _increment(self, now: float, by: int) -> None:
        """Increment or decrement the selected parameter: semitones of the coarse tuning, the lower byte of the others,
        which counts to 100 for the bend range (RP-018)."""
        if self.parameter not in self.registered:
            return
        high, low = self.registered[self.parameter]
        if self.parameter == COARSE_TUNING:
            self.register(now, self.parameter, min(max(high + by, 0), 127), low)
            return
        base = 100 if self.parameter == BEND_RANGE else 128
        value = min(max(high * base + low + by, 0), 128 * base - 1)
        self.register(now, self.parameter, value // base, value % base)

    def register(self, now: float, parameter: tuple[int, int], high: int, low: int) -> None:
        """Set a registered parameter."""
        self.registered[parameter] = (high, low)
        self.turn(now, self.wheel)
        self._modulate(now, self.modulation)

    def _pitch(self, key: int, drum: bool) -> float:
        """The pitch of a key, with all tunings; a drum follows only its channel's fine tuning."""
        fine, coarse = self._tuning()
        if drum:
            return key + min(max(fine, -MOST_RETUNED), MOST_RETUNED)
        tuning = self.master.tunings.get((self.registered[TUNING_BANK][0], self.registered[TUNING_PROGRAM][0]), {})
        pitch = tuning.get(key, key) + self.scale.get(key % 12, 0.0) + fine + coarse + self.shift
        pitch += self.master.tune + self.master.transpose
        pitch += sum(self.leader._tuning()) if self.leader else 0.0
        return pitch + 12 * log2(max(1 + self.detune / midi_to_hz(pitch), 0.5))

    def _tuning(self) -> tuple[float, float]:
        """(fine, coarse): semitones that the channel's own tunings add to a key."""
        (high, low), (coarse, _) = self.registered[FINE_TUNING], self.registered[COARSE_TUNING]
        return ((high << 7 | low) - 8192) / 8192, coarse - 64

    def turn(self, now: float, wheel: float) -> None:
        """Move the pitch wheel, to -1 .. 1."""
        self.wheel = wheel
        _step(self.bend, now, self._bent() + (self.leader._bent() if self.leader else 0.0))

    def _bent(self) -> float:
        semitones, cents = self.registered[BEND_RANGE]
        return self.wheel * min(semitones + cents / 100, 96.0)

    def _modulate(self, now: float, value: int) -> None:
        self.modulation = value
        semitones, parts = self.registered[MODULATION_DEPTH]
        _step(self.vibrato, now, value / 127 * min(semitones + parts / 128, 12.0))

    def level(self, now: float, volume: int, expression: int) -> None:
        """Set volume and expression, 0..127; the master volume scales them."""
        self.volume, self.expression = volume, expression
        _step(self.gain, now, gain_of(volume, expression) * self.master.volume**2)


def _step(steps: Moves, now: float, value: float) -> None:
    if value != steps[-1][1]:
        steps.append((now, value))


def gain_of(volume: int, expression: int) -> float:
    """General MIDI's 40 log10(v / 127) dB for each of the two, as an amplitude."""
    return (volume * expression / 127**2) ** 2


def pan_of(value: int) -> float:
    """-1 left .. 1 right: both 0 and 1 are hard left, so that 64 is the middle."""
    return max(-1.0, (value - 64) / 63)


def wheel_of(first: int, second: int) -> float:
    """-1..1: a pitch wheel's two data bytes; both ends are reached, and the middle is exact."""
    wheel = (second << 7 | first) - 8192
    return wheel / (8191 if wheel > 0 else 8192)
