"""Files whose headers do not say how much they hold: mp3, which has no such thing, and what a recorder left unfinished.

libsndfile stops where a header says the sound ends. An mp3's length is a guess of its decoder from the file's size and
first frame, unless a frame made by the encoder (Xing, Info) says it; a wav's is zero until the recorder closes it, and
a FLAC's where it was written into a pipe. They are given here as bytes whose header is right."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 1 << 30  # of a file that is mended in memory
UNFINISHED = 0x7FFFFFFF  # lengths from here on mean "not known yet", as 0 does


@dataclass(frozen=True)
class Mended:
    """What the file should have been, for a decoder to read."""

    data: bytes


def mended(path: Path) -> Mended | None:
    """The bytes to read in the place of a file whose header is wrong; None if it can be read as it is."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
            at = _unfinished(file, path.stat().st_size)
            return None if at is None else _finished_wav(path, at)
        if head[:4] == b"fLaC":
            return _counted_flac(path)
        maybe_mp3 = head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)
    if not (maybe_mp3 or path.suffix.lower() == ".mp3") or path.stat().st_size > MOST_BYTES:
        return None
    return _counted_mp3(path.read_bytes())


# ---- wav -------------------------------------------------------------------------------------------------------------


def _unfinished(file, size: int) -> int | None:  # type: ignore[no-untyped-def]
    """Where the samples of a wav begin whose length was never written; None if it was."""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            left = size - position - 8
            if (length == 0 and left > 0 and not _chunks(file, position + 8, size)) or UNFINISHED <= length != left:
                return position + 8
            return None
        position += 8 + length + (length & 1)
    return None


def _chunks(file, position: int, size: int) -> bool:  # type: ignore[no-untyped-def]
    """Whether chunks, and nothing else, lie from a position to the end."""
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if not all(32 <= letter < 127 for letter in name):
            return False
        position += 8 + length + (length & 1)
    return position in (size, size + 1)


def _finished_wav(path: Path, at: int) -> Mended | None:
    """A wav whose samples, from `at` to the end, are counted."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        return None
    data = bytearray(path.read_bytes())
    form = data.find(b"fmt ", 12, at)
    block = max(struct.unpack_from("<H", data, form + 20)[0], 1) if 0 <= form <= at - 24 else 1
    length = (len(data) - at) // block * block
    del data[at + length :]
    struct.pack_into("<I", data, at - 4, length)
    struct.pack_into("<4sI", data, 0, b"RIFF", len(data) - 8)
    return Mended(bytes(data))


# ---- flac ------------------------------------------------------------------------------------------------------------


def _counted_flac(path: Path) -> Mended | None:
    """A FLAC that says nothing of its samples, with their number as its last frame tells it."""
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[21] & 15 or any(head[22:26]) or path.stat().st_size > MOST_BYTES:
        return None
    data = bytearray(path.read_bytes())
    at = len(data)
    while (at := data.rfind(b"\xff", 42, at)) >= 0:
        count = _flac_samples(bytes(data[at : at + 16]), int.from_bytes(data[8:10], "big"))
        if count is not None:
            data[21] |= count >> 32 & 15
            data[22:26] = (count & 0xFFFFFFFF).to_bytes(4, "big")
            return Mended(bytes(data))
    return None


def _flac_samples(head: bytes, block: int) -> int | None:
    """How many samples end with the frame that begins with these bytes; None if they are no frame's header. block: the
    stream's, which frames of streams of one block size are counted in."""
    if len(head) < 16 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    ones = next((n for n in range(8) if not head[4] >> (7 - n) & 1), 8)
    if ones in (1, 8):
        return None
    at, number = 5, head[4] & (0x7F >> ones)
    for byte in head[5 : 4 + ones]:
        number, at = number << 6 | byte & 63, at + 1
    size, rate = head[2] >> 4, head[2] & 15
    if size in (6, 7):
        length = int.from_bytes(head[at : at + size - 5], "big") + 1
        at += size - 5
    else:
        length = {0: 0, 1: 192}.get(size, 576 << (size - 2) if size < 6 else 256 << (size - 8))
    at += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not length or _crc8(head[:at]) != head[at]:
        return None
    return number + length if head[1] & 1 else number * block + length


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (7 if crc & 128 else 0)) & 255
    return crc


# ---- mp3 -------------------------------------------------------------------------------------------------------------

_KBITS = {  # by (version 1, layer): kbit/s by index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class _Frame:
    start: int
    length: int
    alike: int  # the bits that all frames of a stream share: version, layer, rate
    samples: int
    tag_at: int  # where a Xing or Info tag stands in a first frame: after the side information


def _counted_mp3(data: bytes) -> Mended | None:
    """The frames of an mp3 behind one that counts them; None if there are none or the file's own says so already."""
    frames = _frames(data)
    if not frames or (frames[0].samples != 1152 and frames[0].samples != 576):
        return None
    first = frames[0]
    tag = data[first.start + first.tag_at :][:12]
    if tag[:4] in (b"Xing", b"Info"):
        flags, count = struct.unpack(">II", tag[4:12])
        if flags & 1 and abs(count - (len(frames) - 1)) <= 1 and count:
            return None
        frames = frames[1:]
    if data[first.start + 36 :][:4] == b"VBRI":
        frames = frames[1:]
    if not frames:
        return None
    head = bytearray(data[first.start : first.start + first.length])
    head[4:] = bytes(len(head) - 4)
    head[1] |= 1  # without a checksum
    at = first.tag_at - (0 if data[first.start + 1] & 1 else 2)
    if len(head) < at + 12:
        return None
    struct.pack_into(">4sII", head, at, b"Info", 1, len(frames))
    return Mended(bytes(head) + b"".join(data[f.start : f.start + f.length] for f in frames))


def _frames(data: bytes) -> list[_Frame]:
    """Every frame of the stream that most of the file is, whatever lies before, between and behind the frames."""
    frames: list[_Frame] = []
    position = _after_tags(data, 0)
    while (position := data.find(b"\xff", position)) >= 0:
        frame = _frame(data, position)
        if frame is None or (frames and frame.alike != frames[0].alike) or not _followed(data, frame, bool(frames)):
            position = _after_tags(data, position) if data[position : position + 3] == b"ID3" else position + 1
            continue
        frames.append(frame)
        position += frame.length
    return frames


def _followed(data: bytes, frame: _Frame, known: bool) -> bool:
    """Whether a frame is whole and, where none is known yet, followed by another of its kind: two bytes are chance."""
    end = frame.start + frame.length
    if known or end == len(data):
        return end <= len(data)
    following = _frame(data, end)
    return following is not None and following.alike == frame.alike


def _after_tags(data: bytes, position: int) -> int:
    """Behind the ID3v2 tags that begin at a position."""
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 127
        position += 10 + size + (10 if data[position + 5] & 16 else 0)
    return position


def _frame(data: bytes, at: int) -> _Frame | None:
    """The frame whose header stands at a place."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    bitrate, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    kbits, hertz = _KBITS[version == 3, layer][bitrate], _RATES[version][rate]
    samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    padding = data[at + 2] >> 1 & 1
    length = (12000 * kbits // hertz + padding) * 4 if layer == 1 else samples // 8 * 1000 * kbits // hertz + padding
    mono, checksum = data[at + 3] >> 6 == 3, not data[at + 1] & 1
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return _Frame(at, length, (version << 4) | (layer << 2) | rate, samples, 4 + side + 2 * checksum)
