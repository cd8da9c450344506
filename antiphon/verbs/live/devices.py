"""Loudspeakers by miniaudio and MIDI keyboards by rtmidi2, both optional, with plain words where there are none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE

HOW = "install what live playing needs: pip install 'antiphon[live]'"
NULL = "null"  # the name of a loudspeaker that nobody hears


def speakers() -> list[str]:
    """The names of the loudspeakers."""
    return [device["name"] for device in _playbacks(_miniaudio())]


def find_speaker(name: str | None) -> dict[str, Any]:
    """What `open_speaker` needs for a loudspeaker: part of its name, None for the usual one, or "null". Raises
    AntiphonError if there is none, or no such one."""
    audio = _miniaudio()
    if name == NULL:
        return {"backends": [audio.Backend.NULL]}
    known = _playbacks(audio)
    if not known:
        raise AntiphonError(f"no loudspeaker was found: connect one, or play for nobody with --audio {NULL}")
    if name is None:
        return {}
    return {"device_id": known[chosen(name, [device["name"] for device in known], "loudspeaker")]["id"]}


def open_speaker(speaker: dict[str, Any], frames: int, read: Callable[[int], np.ndarray]) -> Any:
    """A loudspeaker of `find_speaker` that asks `read` for (frames, 2) float32 until it is closed. frames: of its
    buffer. Raises AntiphonError if it cannot be used."""
    audio = _miniaudio()
    try:
        device = audio.PlaybackDevice(
            output_format=audio.SampleFormat.FLOAT32,
            nchannels=2,
            sample_rate=SAMPLE_RATE,
            buffersize_msec=max(round(1000 * frames / SAMPLE_RATE), 1),
            app_name="antiphon",
            **speaker,
        )
    except audio.MiniaudioError as error:
        raise AntiphonError(f"the loudspeaker cannot be used ({error}): choose another with --audio") from None
    source = _source(read)
    next(source)
    device.start(source)
    return device


def _playbacks(audio: Any) -> list[dict[str, Any]]:
    """The loudspeakers, without what only looks like one."""
    try:
        found = audio.Devices().get_playbacks()
    except audio.MiniaudioError:
        return []
    return [device for device in found if not device["name"].startswith("Discard all samples")]  # of ALSA


def _source(read: Callable[[int], np.ndarray]) -> Generator[bytes, int, None]:
    """What miniaudio calls from its own thread."""
    frames = yield b""
    while True:
        frames = yield read(frames).tobytes()


def _miniaudio() -> Any:
    try:
        import miniaudio
    except ImportError:
        raise AntiphonError(f"sound needs miniaudio: {HOW}") from None
    return miniaudio


# ---- MIDI ------------------------------------------------------------------------------------------------------------


def ports() -> list[str]:
    """The names of the MIDI ports that can be listened to; none where there is no MIDI at all."""
    if sys.platform == "linux" and not os.path.exists("/dev/snd/seq"):  # ALSA would complain on the terminal
        return []
    midi = _rtmidi()
    try:
        return list(midi.get_in_ports()) if midi else []
    except Exception:  # rtmidi2 raises what its system library says
        return []


def open_port(number: int, heard: Callable[[bytes], None]) -> Any:
    """MIDI port 0, 1, ... of `ports`, whose messages go to `heard` until it is closed."""
    device = _rtmidi().MidiIn()
    device.callback = lambda message, _: heard(bytes(value & 0xFF for value in message))
    device.open_port(number)
    return device


def _rtmidi() -> Any:
    try:
        import rtmidi2
    except ImportError:
        return None
    return rtmidi2


def can_listen() -> bool:
    """Whether MIDI can be had at all."""
    return _rtmidi() is not None


def chosen(name: str, known: list[str], what: str) -> int:
    """Which one is meant by part of its name, or by its number from 1. Raises AntiphonError unless it is just one."""
    if name.isdigit() and 1 <= int(name) <= len(known):
        return int(name) - 1
    hits = [i for i, other in enumerate(known) if name.lower() in other.lower()]
    if len(hits) != 1:
        listed = ", ".join(f"{i} {other}" for i, other in enumerate(known, 1)) or "none"
        raise AntiphonError(f"{'several' if hits else 'no'} {what}s match '{name}': there is {listed}")
    return hits[0]
