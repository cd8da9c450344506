"""Finding, reading and writing audio files, through libsndfile. Inside, all audio is 44.1 kHz float32."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.headers import UNFINISHED, mended
from antiphon.audio.ops import Audio, resample, to_mono
from antiphon.core.atomic import all_atomic, in_folder
from antiphon.core.errors import AntiphonError
from antiphon.core.stopping import held
from antiphon.core.units import SAMPLE_RATE

SUFFIXES = frozenset(  # formats that libsndfile reads
    f".{name}"
    for name in "wav wave flac ogg oga opus mp3 aiff aif aifc caf w64 rf64 au snd".split()  # noqa: SIM905
)
_WRITERS = {  # suffix: (libsndfile's format, subtype)
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aiff": ("AIFF", "PCM_24"),
    ".aif": ("AIFF", "PCM_24"),
}
WRITTEN = frozenset(_WRITERS)  # suffixes of the formats that can be written
_ESTIMATED = {"MP3", "MPEG", "OGG"}  # libsndfile's names of formats without a count of samples that could be missed
_SLICE = 1 << 18  # libvorbis overflows its stack when handed minutes at once
LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000  # accepted sample rates, Hz
MOST_CHANNELS = 64
MOST_VALUES = 1 << 27  # most samples times channels read from a file: 50 minutes of mono, half a gigabyte
LOUDEST = 1e6  # largest sample accepted: some floats are never scaled, but beyond this it is not sound


_BITS = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000)


@dataclass(frozen=True)
class Form:
    """How a sound file is to be written. rate: samples per second, if not the sound's own. bits: 16, 24, or 32 (float),
    if not 24; mono: the mean of its sides."""

    rate: int | None = None
    bits: int | None = None
    mono: bool = False

    def check(self, suffix: str) -> None:
        """Raises AntiphonError if files of that suffix cannot be written so."""
        if self.rate is not None and self.rate not in RATES:
            raise AntiphonError(f"cannot write {self.rate} samples per second: use {', '.join(map(str, RATES))}")
        if self.rate is not None and suffix in (".mp3", ".opus") and self.rate > 48000:
            raise AntiphonError(f"{suffix} has at most 48000 samples per second: use a lower --rate, or wav or flac")
        if self.bits is None:
            return
        if self.bits not in _BITS:
            raise AntiphonError(f"cannot write {self.bits} bits: use 16, 24 or, for wav and aiff, 32 (float)")
        if not _WRITERS[suffix][1].startswith("PCM") or (self.bits == 32 and suffix == ".flac"):
            raise AntiphonError(f"{suffix} has no {self.bits} bits: leave --bits out, or choose wav or aiff")


PLAIN = Form()


@dataclass(frozen=True)
class Probe:
    """What a file's header says."""

    sample_rate: int
    frames: int
    channels: int
    estimated: bool = False  # lossy formats: there may be more or fewer frames than their header promises

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.sample_rate


def find_audio(folder: str | Path) -> list[Path]:
    """Every audio file under a folder (recognised by suffix), sorted; hidden files and folders are skipped."""
    root = Path(folder)
    if not root.is_dir():
        raise AntiphonError(f"{root} is not a folder: give a folder of audio files")
    found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def probe(path: str | Path) -> Probe:
    """The header of an audio file. Raises AntiphonError if the file is missing, not audio, empty or truncated, or
    claims a sample rate or a number of channels that no recording has."""
    import soundfile

    path = Path(path)
    if not os.path.isfile(path):
        raise AntiphonError(f"{path} is not a file" if os.path.exists(path) else f"{path} does not exist")
    if path.stat().st_size == 0:
        raise AntiphonError(f"{path} is empty (0 bytes)")
    try:
        with _opened(path) as info:
            pass
    except (soundfile.SoundFileError, RuntimeError, TypeError, OSError):
        raise AntiphonError(f"{path} is not readable audio: use wav, flac, ogg, opus, mp3, aiff or caf") from None
    if info.frames <= 0 or info.channels <= 0:
        raise AntiphonError(f"{path} contains no samples: export it again")
    if not LOWEST_RATE <= info.samplerate <= HIGHEST_RATE:
        raise AntiphonError(f"{path} claims a sample rate of {info.samplerate} Hz: export it again at 44100 Hz")
    if info.channels > MOST_CHANNELS:
        raise AntiphonError(f"{path} claims to have {info.channels} channels: export it again with 1 or 2")
    if _truncated(path):
        raise AntiphonError(f"{path} is truncated: copy it again")
    return Probe(int(info.samplerate), int(info.frames), int(info.channels), info.format in _ESTIMATED)


def read_audio(
    path: str | Path, *, mono: bool = True, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> Audio:
    """Reads a file of any sample rate and number of channels, at most its first `max_seconds`.

    Returns float32 at `sample_rate` Hz, full scale 1.0: (samples,) if `mono` (channels are averaged where they agree,
    otherwise the loudest is taken), else (samples, channels). Memory use depends on what the file contains, not on what
    its header claims. Raises AntiphonError if the file is missing, empty, truncated, not audio, too long, or contains
    NaN, infinite or absurdly large samples.
    """
    header = probe(path)
    rate = header.sample_rate
    wanted = header.frames if max_seconds is None else min(header.frames, int(max_seconds * rate))
    if wanted * header.channels > MOST_VALUES and max_seconds is not None:
        raise AntiphonError(f"{path} has too many channels at too high a sample rate: export it again at 44100 Hz")
    audio = _read(Path(path), wanted)
    short = 0 if header.estimated else wanted - len(audio)
    if short > 0.1 * rate or not len(audio):
        raise AntiphonError(f"{path} is truncated: it has {len(audio)} of {wanted} samples; copy it again")
    _check_values(audio, path)
    return resample(to_mono(audio) if mono else audio, rate, sample_rate)


def audio_blocks(path: str | Path, seconds: float = 10.0) -> Iterator[Audio]:
    """A file from its beginning to its end in blocks of about `seconds`, (n, channels) float32 at its own rate, in
    constant memory: for recordings of any length. Raises AntiphonError as `read_audio` does."""
    header, path = probe(path), Path(path)
    size, found = max(round(seconds * header.sample_rate), 1), 0
    with _reading(path) as file:
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            found += len(block)
            _check_values(block, path)
            yield block
    missing = 0 if header.estimated else header.frames - found
    if missing > 0.1 * header.sample_rate or not found:
        raise AntiphonError(f"{path} is truncated: it has {found} of {header.frames} samples; copy it again")


def _check_values(audio: Audio, path: str | Path) -> None:
    low, high = audio.min(initial=0.0), audio.max(initial=0.0)  # a NaN is both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AntiphonError(f"{path} contains NaN or infinite samples: export it again")
    if max(-low, high) > LOUDEST:
        raise AntiphonError(f"{path} contains samples far beyond full scale: export it again")


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """`_opened`, with what libsndfile complains of as an AntiphonError."""
    import soundfile

    try:
        with _opened(path) as file:
            yield file
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AntiphonError(f"{path} is damaged: {' '.join(str(error).split())[:120]}") from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The soundfile.SoundFile of a path, which may be longer than the 1,024 bytes that libsndfile itself accepts."""
    import soundfile

    if (mend := mended(path)) is not None:
        with soundfile.SoundFile(io.BytesIO(mend.data)) as file:
            yield file
        return
    number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        with soundfile.SoundFile(number, closefd=False) as file:
            yield file
    finally:
        os.close(number)


def _read(path: Path, wanted: int) -> Audio:
    """At most (wanted, channels) samples as they are in the file."""
    pieces, left = [], wanted
    with _reading(path) as file:
        while left > 0 and len(piece := file.read(min(left, _SLICE), dtype="float32", always_2d=True)):
            pieces.append(piece)
            left -= len(piece)
            if (wanted - left) * file.channels > MOST_VALUES:
                raise AntiphonError(f"{path} is too long: cut it into shorter files")
    return np.concatenate(pieces) if pieces else np.zeros((0, 1), np.float32)


def blocks(path: str | Path, size: int = 1 << 16) -> Iterator[Audio]:
    """A file in blocks, (at most `size`, channels) float32 at its own sample rate: any length in the same memory.

    Raises AntiphonError as `read_audio` does, at the block that is wrong."""
    import soundfile

    header = probe(path)
    left, seen = header.frames, 0
    try:
        with _opened(Path(path)) as file:
            while left > 0 and len(block := file.read(min(left, size), dtype="float32", always_2d=True)):
                if not np.isfinite(block).all():
                    raise AntiphonError(f"{path} contains NaN or infinite samples: export it again")
                if np.abs(block).max() > LOUDEST:
                    raise AntiphonError(f"{path} contains samples far beyond full scale: export it again")
                left, seen = left - len(block), seen + len(block)
                yield block
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise AntiphonError(f"{path} is damaged: {' '.join(str(error).split())[:120]}") from None
    if not seen or (left > 0.1 * header.sample_rate and not header.estimated):
        raise AntiphonError(f"{path} is truncated: it has {seen} of {header.frames} samples; copy it again")


def check_sound(audio: Audio, name: str | Path, sample_rate: int = SAMPLE_RATE, shortest: float = 0.03) -> None:
    """Raises AntiphonError if (samples,) audio is shorter than `shortest` seconds, below -80 dBFS or not finite."""
    if len(audio) < shortest * sample_rate:
        raise AntiphonError(f"{name} is too short: it has {len(audio)} samples, and a note needs at least {shortest} s")
    if not np.isfinite(audio).all():
        raise AntiphonError(f"{name} contains NaN or infinite samples")
    if float(np.abs(audio).max()) < 1e-4:
        raise AntiphonError(f"{name} is silent")


def check_target(path: str | Path, *, form: Form = PLAIN, force: bool = False) -> Path:
    """The path, if `write_audio` may write it. Raises AntiphonError for its suffix, a form that it cannot have or,
    without `force`, a file."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise AntiphonError(f"cannot write {path.name!r}: use a name that ends in one of {', '.join(sorted(_WRITERS))}")
    form.check(path.suffix.lower())
    return check_place(path, force=force)


def check_place(path: Path, *, force: bool = False) -> Path:
    """The path, if a file may be written there. Raises AntiphonError for a folder, or a file without `force`."""
    if os.path.isdir(path):
        raise AntiphonError(f"{path} is a folder: give a file name inside it")
    if os.path.lexists(path) and not os.path.isfile(path):
        raise AntiphonError(f"{path} is not a regular file: choose another name")
    if os.path.exists(path) and not force:
        raise AntiphonError(f"{path} exists: choose another name, or add --force to replace it")
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise AntiphonError(f"cannot write {path}: {folder} is not a folder you can write to")
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name that no file may have
        raise AntiphonError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    return path


def write_audio(
    path: str | Path, audio: Audio, *, sample_rate: int = SAMPLE_RATE, form: Form = PLAIN, force: bool = False
) -> Path:
    """Writes (samples,) or (samples, 2) float audio, clipped to ±1, in the format of the suffix; returns the path.

    wav, flac and aiff are 24-bit, unless `form` says otherwise. The file appears complete or not at all. Raises
    AntiphonError if it exists already (unless `force`), for an unknown suffix, for audio that is not finite, or if the
    folder cannot be written.
    """
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim not in (1, 2):
        raise AntiphonError(f"cannot write {path}: the audio's shape is {audio.shape}, not (samples, channels)")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    with writing(path, channels, sample_rate=sample_rate, form=form, force=force) as write:
        write(audio)
    return Path(path)


@contextmanager
def writing(
    path: str | Path, channels: int, *, sample_rate: int = SAMPLE_RATE, form: Form = PLAIN, force: bool = False
) -> Iterator[Callable[[Audio], None]]:
    """`write_audio` for sound that comes in blocks: yields a function that takes the next (n, channels) samples.

    The file appears when the `with` block ends; after an error in the block there is none."""
    with writing_all([path], channels, sample_rate=sample_rate, form=form, force=force) as (write,):
        yield write


@contextmanager
def writing_all(
    paths: Sequence[str | Path],
    channels: int,
    *,
    sample_rate: int = SAMPLE_RATE,
    form: Form = PLAIN,
    force: bool = False,
) -> Iterator[list[Callable[[Audio], None]]]:
    """`writing` for several files: all of them appear when the `with` block ends, or none does."""
    targets = [check_target(path, force=force) for path in paths]
    try:
        folders = [target.parent for target in targets]
        with in_folder(*folders), all_atomic(targets) as drafts, ExitStack() as stack:
            pairs = zip(targets, drafts, strict=True)
            encoders = [stack.enter_context(_Encoder(*each, sample_rate, channels, form)) for each in pairs]
            yield [encoder.write for encoder in encoders]
    except OSError as error:
        raise AntiphonError(f"cannot write {targets[0]}: {error.strerror or error}") from None


def encode(draft: Path, target: Path, audio: Audio, sample_rate: int = SAMPLE_RATE, form: Form = PLAIN) -> None:
    """Writes (samples,) or (samples, 2) float audio to `draft` in the format of `target`'s suffix, for a file
    that is to appear together with others."""
    with _Encoder(target, draft, sample_rate, 1 if audio.ndim == 1 else audio.shape[1], form) as encoder:
        encoder.write(audio)


class _Encoder:
    """A sound file being written to a draft; failures raise an OSError with the system's own message.

    libsndfile writes through a Python file object, because it does not report a full disk when it closes a compressed
    file, which would then lack its end."""

    def __init__(self, target: Path, draft: Path, sample_rate: int, channels: int, form: Form = PLAIN):
        import soundfile
        import soxr

        self.target, self._resample = target, None
        self._file: Any = None  # until it is open
        kind, subtype = _WRITERS[target.suffix.lower()]
        rate, subtype = form.rate or sample_rate, _BITS[form.bits] if form.bits else subtype
        if subtype == "OPUS":
            rate = 48000
        self._mono, channels = form.mono and channels > 1, 1 if form.mono else channels
        if rate != sample_rate:
            self._resample = soxr.ResampleStream(sample_rate, rate, channels, dtype="float32", quality="HQ")
            sample_rate = rate
        self._errors = (soundfile.SoundFileError, RuntimeError, AssertionError)
        self._disk = _Disk(draft)
        try:
            with self._said():
                self._file = soundfile.SoundFile(self._disk, "w", sample_rate, channels, format=kind, subtype=subtype)
        except BaseException:
            self._close()
            raise

    def write(self, audio: Audio) -> None:
        if not np.isfinite(audio).all():
            raise AntiphonError(f"cannot write {self.target}: the audio contains NaN or infinite samples")
        if self._mono:
            audio = np.ascontiguousarray(audio.mean(axis=1))
        self._write(self._resample.resample_chunk(audio) if self._resample else audio)

    def _write(self, audio: Audio) -> None:
        for start in range(0, len(audio), _SLICE):
            with self._said():
                self._file.write(np.clip(audio[start : start + _SLICE], -1, 1))

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            if self._resample and not failed:
                rest = np.zeros((0, self._file.channels), np.float32)
                self._write(self._resample.resample_chunk(rest, last=True))
        finally:
            self._close()

    def _close(self) -> None:
        try:
            with self._said():
                if self._file:
                    self._file.close()
        finally:
            self._disk.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What libsndfile complains of in the block. A stop waits, since the Python that it calls cannot pass it on."""
        try:
            with held():
                yield
        except self._errors as error:
            raise self._disk.failed or OSError(" ".join(str(error).split())) from None
        if self._disk.failed:
            raise self._disk.failed


class _Disk:
    """A file for libsndfile to write into, which remembers errors, since exceptions do not pass through C."""

    def __init__(self, path: Path):
        self._file = path.open("w+b", buffering=0)
        self.failed: OSError | None = None
        self.seek, self.tell, self.readinto, self.read = (
            getattr(self._file, name) for name in ("seek", "tell", "readinto", "read")
        )

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self.failed = self.failed or error
        return len(data)

    def close(self) -> None:
        self._file.close()


def _truncated(path: Path) -> bool:
    """Whether a WAV or AIFF claims more bytes of samples than the file has, which libsndfile ignores silently."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"FORM"):
            return False
        layout, wanted = ("<4sI", b"data") if head[:4] == b"RIFF" else (">4sI", b"SSND")
        position = 12
        while position + 8 <= size:
            file.seek(position)
            name, length = struct.unpack(layout, file.read(8))
            if name == wanted:  # recorders that were cut off leave the length at 0 or at its maximum
                return length < UNFINISHED and position + 8 + length > size
            position += 8 + length + (length & 1)
    return False
