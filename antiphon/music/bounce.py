"""A song to files: bounce. The gain is known only at the song's end, so the sound waits on disk until then."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from antiphon.audio.files import PLAIN, Form, check_target, writing_all
from antiphon.core.atomic import in_folder, nameless
from antiphon.core.errors import AntiphonError
from antiphon.music.master import CEILING, MARGIN, USUAL, Level, Meter, TruePeak, mastered
from antiphon.music.player import MIX, Block

PIECE = 1 << 18  # samples read back at once
LOSSY = (".mp3", ".ogg", ".opus")  # formats whose coders move peaks
CODERS = 10 ** (-1 / 20)  # headroom for that: songs driven into the limiter need up to 0.8 dB
LONGEST_NAME = 255  # bytes of a file name
SHORTEST_WORD = len("100-16")  # of a bus's name: its beginning tells it from the others


def bounce(
    blocks: Iterable[Block],
    out: Path,
    sample_rate: int,
    force: bool = False,
    *,
    level: Level = USUAL,
    form: Form = PLAIN,
) -> Path:
    """Write a song's buses: the mix, mastered, to `out`, the others beside it (`song-NAME.wav`); returns `out`.

    The others share one gain, so that they sum to the mix before its limiter: the mix's own gain, or less if the true
    peak of a bus would pass the ceiling. level: how loud; form: how the files are written. All files appear or none
    does. The sound waits in nameless files on the same disk, 21 MB per minute and bus. Raises AntiphonError if a file
    exists (unless `force`) or cannot be written.
    """
    meter = Meter(sample_rate)
    try:
        with in_folder(out.parent), ExitStack() as stack:
            spools: dict[str, _Spool] = {}
            for block in blocks:
                meter.add(block[MIX])
                for bus, sound in block.items():
                    if bus not in spools:  # the first block has all of them, and comes before any work
                        target = check_target(_beside(out, bus), force=force)
                        spools[bus] = stack.enter_context(_Spool(target))
                    spools[bus].add(sound)
            peak = max((spool.meter.end() for bus, spool in spools.items() if bus != MIX), default=0.0)
            ceiling = CEILING * (CODERS if out.suffix.lower() in LOSSY else 1.0)
            common = np.float32(min(meter.gain(level), ceiling * MARGIN / max(peak, 1e-9)))
            targets = [spool.target for spool in spools.values()]
            writers = stack.enter_context(writing_all(targets, 2, sample_rate=sample_rate, form=form, force=force))
            for (bus, spool), write in zip(spools.items(), writers, strict=True):
                mix = bus == MIX
                leveled = (
                    mastered(spool, meter.gain(level), sample_rate, ceiling) if mix else (s * common for s in spool)
                )
                for sound in leveled:
                    write(sound)
                spool.close()
    except OSError as error:
        raise AntiphonError(f"cannot write {out}: {error.strerror or error}") from None
    return out


class _Spool:
    """A bus on its way to its file: blocks of float32 on disk, and their true peak."""

    def __init__(self, target: Path):
        self.target, self.meter = target, TruePeak()
        self._file = nameless(target.parent)

    def add(self, block: np.ndarray) -> None:
        self.meter.add(block)
        self._file.write(np.ascontiguousarray(block, np.float32).tobytes())

    def __iter__(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        while data := self._file.read(PIECE * 8):
            yield np.frombuffer(data, np.float32).reshape(-1, 2)

    def __enter__(self) -> "_Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()


def _beside(out: Path, bus: str) -> Path:
    """The file of a bus: `out` for the mix, else `out` with the bus's name appended, as much of both as fits."""
    if bus == MIX:
        return out
    stem, word = out.stem, re.sub(r"[^\w-]+", "-", bus.lower()).strip("-")[:60]
    while len(os.fsencode(f"{stem}-{word}{out.suffix}")) > LONGEST_NAME:
        if len(word) > SHORTEST_WORD:
            word = word[:-1]
        else:
            stem = stem[:-1]
    return out.with_stem(f"{stem}-{word}")
