"""System exclusive messages, bytes to settings: decode.

Implemented are the universal messages (General MIDI 1 and 2, the MIDI Tuning Standard) and the addresses of Roland's GS
and Yamaha's XG, as far as they decide on instruments, pitch and level. Known settings that are not played (effects,
filters, drum edits) are named; queries, display texts and transport commands, which do not change the sound, are
skipped.
"""

from collections.abc import Iterator
from functools import reduce
from operator import xor
from typing import Any, NamedTuple

UNIVERSAL, ROLAND, YAMAHA = (0x7E, 0x7F), 0x41, 0x43
GS, XG = 0x42, 0x4C  # models
FOREIGN, BROKEN = "SysEx message{s} for other devices", "broken SysEx message{s}"
EFFECTS, EDITS, DRUM_EDITS = "effect setting{s}", "sound edit{s}", "edit{s} of single drums"
ASSIGNMENTS, RECEIVERS = "controller assignment{s}", "part{s} moved to another channel"
NAME = 16  # bytes of a tuning's name


class Setting(NamedTuple):
    """what, and its value: for the whole module "reset" (to a standard: "", gm, gm2, gs, xg), "volume" (0..1), "tune"
    and "transpose" (semitones), "keys" ((bank, program), {key: pitch}: a tuning); for `channels` (0..15) "kit" (bool),
    "shift" (semitones), "detune" (Hz), "scale" ({pitch class: semitones}), "control" (number, value), "program",
    "parameter" (a registered one, (high, low)); "unplayed" (a name, with {s} where the plural has an s)."""

    what: str
    value: Any
    channels: tuple[int, ...] = ()


def decode(data: bytes) -> list[Setting]:
    """Decode a message without its 0xF0, with or without its 0xF7. Never raises: a message that is truncated, has a
    wrong checksum or bytes above 127 gives one "unplayed" setting."""
    data = data.removesuffix(b"\xf7")
    try:
        if not data or max(data) > 127:
            raise _Broken
        if data[0] in UNIVERSAL:
            return list(_universal(data))
        if data[0] == ROLAND:
            return list(_roland(data))
        if data[0] == YAMAHA:
            return list(_yamaha(data))
    except (_Broken, IndexError):
        return [Setting("unplayed", BROKEN)]
    return [Setting("unplayed", FOREIGN)]


class _Broken(Exception):
    """The message makes no sense."""


def _check(fits: bool) -> None:
    if not fits:
        raise _Broken


def _number(high: int, low: int) -> int:
    """14 bits."""
    return high << 7 | low


def _nibbles(data: bytes) -> int:
    return reduce(lambda number, nibble: number << 4 | nibble & 15, data, 0)


# ---- universal -------------------------------------------------------------------------------------------------------


def _universal(data: bytes) -> Iterator[Setting]:
    real_time, kind, which, rest = data[0] == 0x7F, data[2], data[3], data[4:]
    match kind, which:
        case 0x09, 1 | 2 | 3 if not real_time:
            yield Setting("reset", {1: "gm", 2: "", 3: "gm2"}[which])
        case 0x04, 1 if real_time:
            yield Setting("volume", _number(rest[1], rest[0]) / 0x3FFF)
        case 0x04, 3 if real_time:
            yield Setting("tune", (_number(rest[1], rest[0]) - 0x2000) / 0x2000)
        case 0x04, 4 if real_time:
            yield Setting("transpose", rest[1] - 64)
        case 0x04, 2 if real_time:
            yield Setting("unplayed", "master balance setting{s}")
        case 0x04, 5 if real_time:
            yield Setting("unplayed", EFFECTS)
        case 0x08, _:
            yield from _tuning(which, data, rest)
        case 0x09, 1 | 2 | 3:
            yield Setting("unplayed", ASSIGNMENTS)
        case 0x0A, 1 if real_time:
            yield Setting("unplayed", DRUM_EDITS)


def _tuning(which: int, data: bytes, rest: bytes) -> Iterator[Setting]:
    """The MIDI Tuning Standard. data: the whole message, which a dump's checksum covers."""
    banked = int(which in (4, 5, 6, 7))
    if which in (8, 9):  # scales; a bit for each channel: 15 and 16, 8 to 14, 1 to 7
        bits = rest[0] << 14 | rest[1] << 7 | rest[2]
        channels = tuple(channel for channel in range(16) if bits >> channel & 1)
        yield Setting("scale", dict(enumerate(_octave(rest[3:], which == 9))), channels)
    elif which in (1, 2, 4, 5, 6, 7):
        bank, program, body = rest[0] * banked, rest[banked], rest[banked + 1 :]
        yield Setting("keys", ((bank, program), dict(_keys(which, data, body))))
    else:
        _check(which in (0, 3))  # queries


def _keys(which: int, data: bytes, body: bytes) -> Iterator[tuple[int, float]]:
    """(key, pitch) of a tuning."""
    if which in (2, 7):  # single keys
        _check(len(body) > 0 and len(body) >= 1 + 4 * body[0])
        rows = [body[at : at + 4] for at in range(1, 1 + 4 * body[0], 4)]
        yield from ((row[0], pitch) for row in rows if (pitch := _pitch(row[1:])) is not None)
        return
    size = {1: 3 * 128, 4: 3 * 128, 5: 12, 6: 24}[which]
    _check(len(body) == NAME + size + 1 and _summed(data))
    dump = body[NAME:-1]
    if size == 3 * 128:
        pitches = ((key, _pitch(dump[3 * key : 3 * key + 3])) for key in range(128))
        yield from ((key, pitch) for key, pitch in pitches if pitch is not None)
    else:
        scale = _octave(dump, which == 6)
        yield from ((key, key + scale[key % 12]) for key in range(128))


def _summed(data: bytes) -> bool:
    """Whether a dump's checksum is right: the exclusive or of all bytes before it or, as some programs write, minus
    their sum."""
    return data[-1] in (reduce(xor, data[:-1]) & 127, -sum(data[:-1]) & 127)


def _pitch(row: bytes) -> float | None:
    """From a semitone and 14 bits of its fraction; None for "no change"."""
    return None if row == b"\x7f\x7f\x7f" else row[0] + _number(row[1], row[2]) / 0x4000


def _octave(data: bytes, fine: bool) -> list[float]:
    """Semitones of the twelve pitch classes: a byte of cents each or, fine, 14 bits for -1 .. 1 semitone."""
    _check(len(data) == (24 if fine else 12))
    if fine:
        return [(_number(data[at], data[at + 1]) - 0x2000) / 0x2000 for at in range(0, 24, 2)]
    return [(byte - 64) / 100 for byte in data]


# ---- parameters at addresses -----------------------------------------------------------------------------------------

# By the last byte of their address
_GS_PART = {0x00: "bank", 0x01: "program", 0x02: "receiver", 0x15: "kit", 0x16: "shift", 0x17: "detune",
            0x19: "volume", 0x1C: "pan"}  # fmt: skip
_GS_PART |= {0x40 + key: "scale" for key in range(12)}
_GS_CONTROLS = {0x04: "vibrato", 0x10: "bend"}
_XG_PART = {0x01: "bank", 0x02: "bank lsb", 0x03: "program", 0x04: "receiver", 0x07: "kit", 0x08: "shift",
            0x09: "detune", 0x0B: "volume", 0x0E: "pan", 0x23: "bend"}  # fmt: skip
_XG_PART |= {0x41 + key: "scale" for key in range(12)}
_SYSTEM = {0x00: "tune", 0x04: "volume", 0x05: "transpose"}  # GS; XG has the last one place higher
_CONTROLLERS = {"bank": 0, "bank lsb": 32, "volume": 7, "pan": 10}


def _roland(data: bytes) -> Iterator[Setting]:
    if data[2] != GS:
        if data[2] != 0x45:  # display texts
            yield Setting("unplayed", FOREIGN)
        return
    if data[3] != 0x12:  # a query
        return
    address, body = data[4:7], data[7:-1]
    _check(len(data) > 8 and sum(data[4:]) & 127 == 0)
    high, middle, low = address
    match high, middle >> 4:
        case (0x40, 0) if (middle, low) == (0, 0x7F):
            yield Setting("reset", "gs" if body[0] == 0 else "")
        case (0x00, 0) if (middle, low) == (0, 0x7F):  # system mode, which implies a reset
            yield Setting("reset", "gs")
        case (0x40, 0) if middle == 0:
            yield from _system(_SYSTEM, low, body)
        case 0x40, 0:
            if middle > 1 or low >= 0x30:  # not a patch's name or the parts' shares of polyphony
                yield Setting("unplayed", EFFECTS)
        case 0x40, 1:
            moved = low <= 2 < low + len(body) and body[2 - low] != _channel(middle)
            yield from _part(_GS_PART, _channel(middle), low, body, 0x40, RECEIVERS if moved else "")
        case 0x40, 2:
            yield from _part(_GS_CONTROLS, _channel(middle), low, body, 0, ASSIGNMENTS)
        case 0x41, _:
            yield Setting("unplayed", DRUM_EDITS)
        case 0x40, 4:  # tone maps and equalisers
            pass
        case _:
            yield Setting("unplayed", EDITS)


def _channel(block: int) -> int:
    """The channel of a GS part: the drum part is block 0."""
    block &= 15
    return 9 if block == 0 else block - 1 if block < 10 else block


def _yamaha(data: bytes) -> Iterator[Setting]:
    kind, model = data[1] >> 4, data[2]
    if kind == 1 and data[2:6] == b"\x27\x30\0\0":
        yield Setting("tune", (_nibbles(data[6:8]) * 200 / 256 - 100) / 100)
    elif model != XG:
        yield Setting("unplayed", FOREIGN)
    elif kind == 1:
        _check(len(data) > 6)
        yield from _xg(data[3:6], data[6:])
    elif kind == 0:
        _check(len(data) > 9 and sum(data[3:]) & 127 == 0 and _number(data[3], data[4]) == len(data) - 9)
        yield from _xg(data[5:8], data[8:-1])


def _xg(address: bytes, body: bytes) -> Iterator[Setting]:
    high, middle, low = address
    if (high, middle) == (0, 0):
        if low in (0x7E, 0x7F):
            yield Setting("reset", "xg")
        elif low != 0x7D:
            yield from _system({**_SYSTEM, 0x05: "", 0x06: "transpose"}, low, body)
    elif high == 8:
        moved = low <= 4 < low + len(body) and body[4 - low] != middle
        yield from _part(_XG_PART, middle & 15, low, body, 0x41, RECEIVERS if moved else "")
    elif high in (2, 3):
        yield Setting("unplayed", EFFECTS)
    elif high >> 4 == 3:
        yield Setting("unplayed", DRUM_EDITS)
    elif high not in (6, 7):  # display texts and pictures
        yield Setting("unplayed", EDITS)


def _system(places: dict[int, str], low: int, body: bytes) -> Iterator[Setting]:
    """Settings of the whole module that a message writes, from address `low` on."""
    for at, byte in enumerate(body):
        match places.get(low + at):
            case "tune" if len(body) >= at + 4:
                yield Setting("tune", (_nibbles(body[at : at + 4]) - 0x400) / 1000)
            case "volume":
                yield Setting("volume", byte / 127)
            case "transpose":
                yield Setting("transpose", byte - 64)


def _part(
    places: dict[int, str], channel: int, low: int, body: bytes, scale: int, unplayed: str = ""
) -> Iterator[Setting]:
    """Settings of a part that a message writes, from address `low` on. scale: the address of its scale's C. unplayed:
    what else the message is about."""
    known = False
    for at, byte in enumerate(body):
        name, own = places.get(low + at, ""), (channel,)
        known = known or bool(name)
        match name:
            case "bank" | "bank lsb" | "volume" | "pan":
                yield Setting("control", (_CONTROLLERS[name], byte or 64 * (name == "pan")), own)  # pan 0 is random
            case "program":
                yield Setting("program", byte, own)
            case "kit":
                yield Setting("kit", byte > 0, own)
            case "shift":
                yield Setting("shift", byte - 64, own)
            case "detune" if len(body) >= at + 2:
                yield Setting("detune", (_nibbles(body[at : at + 2]) - 128) / 10, own)
            case "scale":
                yield Setting("scale", {low + at - scale: (byte - 64) / 100}, own)
            case "bend":
                yield Setting("parameter", ((0, 0), (abs(byte - 64), 0)), own)
            case "vibrato":
                yield Setting("parameter", ((0, 5), divmod(round(byte / 127 * 6 * 128), 128)), own)
    if unplayed or not known:
        yield Setting("unplayed", unplayed or EDITS)
