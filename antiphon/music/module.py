"""A sound module: sixteen channels, the state that they share, and the MPE zones that join them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from antiphon.music.channel import BEND_RANGE, MPE_ZONE, UNPLAYED, Channel, Master
from antiphon.music.sysex import Setting, decode

LEADERS = (0, 15)  # of the lower zone, with the channels above it, and of the upper one, with those below it
ENTRIES = (6, 38, 96, 97)  # controllers that set the selected registered parameter
PARAMETERS = (*ENTRIES, 98, 99, 100, 101)  # of a leader: these concern only itself


@dataclass(slots=True)
class Module:
    """Sixteen channels. zones: the member channels of each zone's leader (its manager channel)."""

    master: Master = field(default_factory=Master)
    channels: list[Channel] = field(default_factory=list)
    zones: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.channels = [Channel(number, self.master) for number in range(16)]

    def message(self, now: float, track: int, status: int, first: int, second: int) -> None:
        """A channel message; a leader's goes to its members too."""
        number, kind = status & 15, status >> 4
        channel = self.channels[number]
        channel.message(now, track, status, first, second)
        for member in self.zones.get(number, ()):
            self._follow(now, self.channels[member], kind, first, second)
        if kind == 0xB and first in ENTRIES:
            self._entered(now, channel, first, second)

    def _follow(self, now: float, member: Channel, kind: int, first: int, second: int) -> None:
        if kind == 0xC:
            member.choose(first)
        elif kind == 0xB and first not in PARAMETERS and first not in UNPLAYED:
            member.control(now, first, second)
        elif kind in (0xB, 0xE):  # the leader's wheel or its range has changed
            member.turn(now, member.wheel)

    def _entered(self, now: float, channel: Channel, control: int, value: int) -> None:
        """A registered parameter was set: the size of a zone, or a bend range, which all members share."""
        if channel.parameter == MPE_ZONE and control == 6 and channel.number in LEADERS:
            self._zone(now, channel, min(value, 15))
        elif channel.parameter == BEND_RANGE and channel.leader:
            for member in self.zones[channel.leader.number]:
                self.channels[member].register(now, BEND_RANGE, *channel.registered[BEND_RANGE])

    def _zone(self, now: float, leader: Channel, count: int) -> None:
        """Make a zone of `count` members, which may take some of the other zone's; 0 ends the zone."""
        upper = leader.number == LEADERS[1]
        members = list(range(14, 14 - count, -1) if upper else range(1, 1 + count))
        taken, other = {leader.number, *members}, LEADERS[not upper]
        left = {number for number in self.zones.get(other, ()) if number not in taken and other not in taken}
        for number in {*self.zones.pop(leader.number, ()), *self.zones.pop(other, ())} - {*members, *left}:
            self.channels[number].leave(now)
        if left:
            self.zones[other] = sorted(left, reverse=not upper)
        if members:
            self.zones[leader.number] = members
            leader.register(now, BEND_RANGE, 2, 0)
        for number in members:
            self.channels[number].join(now, leader)

    # ---- system exclusive --------------------------------------------------------------------------------------------

    def set(self, now: float, setting: Setting) -> None:
        """What a system exclusive message says, of some channels or of the whole module."""
        for number in setting.channels:
            _set(now, self.channels[number], setting)
        if not setting.channels:
            self._set(now, setting)

    def _set(self, now: float, setting: Setting) -> None:
        """A setting of the whole module."""
        master, value = self.master, setting.value
        match setting.what:
            case "reset":
                self._reset(now, value)
            case "volume":
                master.volume = value
                self._level(now)
            case "tune":
                master.tune = value
            case "transpose":
                master.transpose = value
            case "keys":
                place, pitches = value
                master.tunings[place] |= pitches
            case "unplayed":
                master.unplayed[value] += 1

    def _reset(self, now: float, standard: str) -> None:
        self.zones = {}
        self.master.standard, self.master.volume, self.master.tune, self.master.transpose = standard, 1.0, 0.0, 0.0
        self.master.tunings.clear()
        for channel in self.channels:
            channel.reset(now)

    def _level(self, now: float) -> None:
        for channel in self.channels:
            channel.level(now, channel.volume, channel.expression)


def exclusive(now: float, modules: Sequence[Module], data: bytes) -> None:
    """A system exclusive message, meant for these modules; what is not played counts once."""
    for setting in decode(data):
        for module in modules[: 1 if setting.what == "unplayed" else None]:
            module.set(now, setting)


def _set(now: float, channel: Channel, setting: Setting) -> None:
    """A setting of one channel."""
    value = setting.value
    match setting.what:
        case "kit":
            channel.set_drum_part(value)
        case "shift":
            channel.shift = value
        case "detune":
            channel.detune = value
        case "scale":
            channel.scale |= value
        case "control":
            channel.control(now, *value)
        case "program":
            channel.choose(value)
        case "parameter":
            parameter, (high, low) = value
            channel.register(now, parameter, high, low)
