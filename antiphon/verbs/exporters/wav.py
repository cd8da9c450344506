"""Plain wav files. Their `smpl` and `inst` chunks tell key, velocities and loop to Kontakt, Logic, MPC and others, and
so do their names."""

from __future__ import annotations

import struct
from functools import partial

from antiphon.core.units import SAMPLE_RATE
from antiphon.verbs.exporters.pack import Exporter, Files, Pack, Zone
from antiphon.verbs.exporters.riff import chunk, group, pcm24


def files(pack: Pack) -> Files:
    """A folder for each instrument."""
    return {
        f"{instrument.stem}/{zone.sample.name}.wav": partial(wav, zone)
        for instrument in pack.instruments
        for zone in instrument.zones
    }


def wav(zone: Zone) -> bytes:
    """A 24-bit file that knows where it is played."""
    sample = zone.sample
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 3 * SAMPLE_RATE, 3, 24)
    loop = sample.loop
    forever = struct.pack("<6I", 0, 0, loop[0], loop[1] - 1, 0, 0) if loop else b""
    smpl = struct.pack("<9I", 0, 0, round(1e9 / SAMPLE_RATE), zone.root, 0, 0, 0, loop is not None, 0)
    inst = struct.pack("<7b", zone.root, 0, 0, zone.low, zone.high, zone.softest, zone.hardest)
    told = (
        chunk(b"smpl", smpl, forever),
        chunk(b"inst", inst),
    )  # after the sound: odd ones before it confuse Polyphone
    return group(b"RIFF", b"WAVE", chunk(b"fmt ", form), chunk(b"data", pcm24(sample.sound)), *told)


HOW = "Drag a folder of wav files into your sampler: each file tells its key, its velocities and its loop."
EXPORTERS = {"wav": Exporter(files, HOW)}
