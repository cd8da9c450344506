"""SoundFont 2: one file for the whole pack, its instruments where General MIDI has them (SoundFont 2.04 specification;
data/soundfont/sf2.py reads it)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from antiphon.audio.ops import Audio
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.verbs.exporters.pack import Exporter, Files, Instrument, Pack, Sample, Zone, printable
from antiphon.verbs.exporters.riff import chunk, group, pcm16

KEYS, VELOCITIES, RELEASE, INSTRUMENT, SAMPLE, LOOPS, EXCLUSIVE, ROOT = 43, 44, 38, 41, 53, 54, 57, 58  # generators
FOREVER = 100.0  # seconds of a release that changes nothing: the longest there is
TO_SILENCE = 100 / 60  # a release is told as the time in which it falls by 100 dB
PAUSE = 46  # samples of silence after each sample, so that players may look ahead
LARGEST = (1 << 32) - (1 << 20)  # bytes
# By default players make a sample softer and duller for lower velocities. Samples of several velocities are so already.
ATTENUATION, CUTOFF = (0x0502, 48), (0x0102, 8)
Record = tuple[int, ...]


def files(pack: Pack) -> Files:
    """One file, whatever there is in it."""
    return {f"{pack.stem}.sf2": partial(font, pack)}


def font(pack: Pack) -> bytes:
    """The soundfont."""
    samples = list(pack.samples)
    sounds = [_kept(sample) for sample in samples]
    if sum(2 * (len(sound) + PAUSE) for sound in sounds) > LARGEST:
        raise AntiphonError("a soundfont holds at most 4 GB: name fewer instruments, or use larger --keys")
    pause = bytes(2 * PAUSE)
    waves = chunk(b"smpl", *(part for sound in sounds for part in (pcm16(sound), pause)))
    lists = (group(b"LIST", b"INFO", *_about(pack)), group(b"LIST", b"sdta", waves))
    return group(b"RIFF", b"sfbk", *lists, group(b"LIST", b"pdta", *_tables(pack, samples, sounds)))


def _kept(sample: Sample) -> Audio:
    """What is played of a sample: nothing that follows a loop, except what players look ahead at."""
    return sample.sound[: sample.loop[1] + 8] if sample.loop else sample.sound


def _about(pack: Pack) -> Iterator[bytes]:
    told = "; ".join(f"{head}: {text}" for head, text in pack.about)
    yield chunk(b"ifil", struct.pack("<HH", 2, 1))
    for name, text in ((b"isng", "EMU8000"), (b"INAM", pack.name), (b"ISFT", "Antiphon"), (b"ICMT", told)):
        data = _latin(text, 255 if name != b"ICMT" else 60_000)
        yield chunk(name, data + bytes(2 - len(data) % 2))  # ends with one zero or two, to an even length


def _latin(text: str, most: int) -> bytes:
    return printable(text).encode("latin-1", "replace")[:most]


def _tables(pack: Pack, samples: Sequence[Sample], sounds: Sequence[Audio]) -> Iterator[bytes]:
    presets = sorted(pack.instruments, key=lambda i: (i.bank, i.program))
    number = {sample: i for i, sample in enumerate(samples)}
    headers = [(_latin(i.name, 20), i.program, i.bank, at, 0, 0, 0) for at, i in enumerate(presets)]
    yield _table(b"phdr", "20sHHHIII", [*headers, (b"EOP", 0, 0, len(presets), 0, 0, 0)])
    yield from _bags(b"p", [[[(INSTRUMENT, at)]] for at in range(len(presets))], [[()] for _ in presets])
    zones = [[[], *(_generators(i, zone, number[zone.sample]) for zone in i.zones)] for i in presets]
    starts = np.cumsum([0, *map(len, zones)]).tolist()
    names = [_latin(i.name, 20) for i in presets]
    yield _table(b"inst", "20sH", [*zip(names, starts, strict=False), (b"EOI", starts[-1])])
    steady = tuple((*source_and_target, 0, 0, 0) for source_and_target in (ATTENUATION, CUTOFF))
    yield from _bags(b"i", zones, [[steady if i.layered else steady[1:], *((),) * len(i.zones)] for i in presets])
    yield _table(b"shdr", "20sIIIIIBbHH", [*_headers(samples, sounds), (b"EOS", *(0,) * 9)])


def _bags(kind: bytes, zones: Sequence[Sequence[list[Record]]], modulators: Sequence[Sequence[tuple[Record, ...]]]) -> (
    Iterator[bytes]
):  # fmt: skip
    """Three tables: where each zone's generators and modulators begin, and those."""
    flat, moved = ([zone for owner in all_ for zone in owner] for all_ in (zones, modulators))
    begin = zip(np.cumsum([0, *map(len, flat)]).tolist(), np.cumsum([0, *map(len, moved)]).tolist(), strict=True)
    yield _table(kind + b"bag", "HH", begin)
    yield _table(kind + b"mod", "HHhHH", [*(entry for zone in moved for entry in zone), (0,) * 5])
    yield _table(kind + b"gen", "HH", [*(entry for zone in flat for entry in zone), (0, 0)])


def _generators(instrument: Instrument, zone: Zone, number: int) -> list[Record]:
    """A zone's, in the order that is asked for: keys first, the sample last."""
    release = FOREVER if instrument.rings else min(zone.sample.release * TO_SILENCE, FOREVER)
    told = [
        (KEYS, zone.low | zone.high << 8),
        (VELOCITIES, zone.softest | zone.hardest << 8),
        (RELEASE, round(1200 * math.log2(release)) & 0xFFFF),
        (LOOPS, int(zone.sample.loop is not None)),
        (ROOT, zone.root),
    ]
    return [*told, *([(EXCLUSIVE, zone.choke)] if zone.choke else []), (SAMPLE, number)]


def _headers(samples: Sequence[Sample], sounds: Sequence[Audio]) -> Iterator[tuple[object, ...]]:
    at = 0
    for sample, sound in zip(samples, sounds, strict=True):
        end = at + len(sound)
        start, stop = sample.loop or (8, len(sound) - 8)
        key = round(sample.note.pitch)
        yield _latin(sample.name[-20:], 20), at, end, at + start, at + stop, SAMPLE_RATE, key, 0, 0, 1
        at = end + PAUSE


def _table(name: bytes, form: str, rows: object) -> bytes:
    return chunk(name, *(struct.pack("<" + form, *row) for row in rows))  # type: ignore[attr-defined]


HOW = "Open the .sf2 file in FluidSynth, MuseScore, sforzando or any other player of soundfonts."
EXPORTERS = {"sf2": Exporter(files, HOW, turns=False)}
