"""Finding, reading and writing audio files, through libsndfile. Inside, all audio is 44.1 kHz float32."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.audio.ops import Audio, resample, to_mono
from antiphon.errors import AntiphonError

SAMPLE_RATE = 44100
SUFFIXES = frozenset(  # of what libsndfile reads
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
_SLICE = 1 << 18  # libvorbis overflows its stack when handed minutes at once


@dataclass(frozen=True)
class Probe:
    """What a file's header says."""

    sample_rate: int
    frames: int
    channels: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.sample_rate


def find_audio(folder: str | Path) -> list[Path]:
    """Every audio file under a folder, by its suffix, sorted; hidden files and folders are left out."""
    root = Path(folder)
    if not root.is_dir():
        raise AntiphonError(f"{root} is not a folder: give a folder of sound files")
    found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def probe(path: str | Path) -> Probe:
    """The header of an audio file. Raises AntiphonError if it is missing, no audio, empty or truncated."""
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise AntiphonError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise AntiphonError(f"{path} is empty (0 bytes)")
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, TypeError):
        raise AntiphonError(f"{path} is not audio that can be read (wav, flac, ogg, opus, mp3, aiff, caf)") from None
    if info.frames <= 0 or info.samplerate <= 0 or info.channels <= 0:
        raise AntiphonError(f"{path} holds no samples")
    if _truncated(path):
        raise AntiphonError(f"{path} is truncated: copy it again")
    return Probe(int(info.samplerate), int(info.frames), int(info.channels))


def read_audio(
    path: str | Path, *, mono: bool = True, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> Audio:
    """Reads a file of any rate and width, at most its first `max_seconds`.

    Returns float32 at `sample_rate` Hz, full scale 1.0: (samples,) if `mono` (channels are averaged where they agree,
    otherwise the loudest is taken), else (samples, channels). Raises AntiphonError if the file is missing, empty,
    truncated, no audio, or holds NaN or infinite samples.
    """
    import soundfile

    header = probe(path)
    wanted = header.frames if max_seconds is None else min(header.frames, int(max_seconds * header.sample_rate))
    try:
        audio, rate = soundfile.read(str(path), frames=wanted, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise AntiphonError(f"{path} is damaged: {' '.join(str(error).split())[:120]}") from None
    # Compressed formats count their frames only roughly; a tenth of a second less is a rounding, more is a loss.
    if len(audio) < wanted - 0.1 * rate or not len(audio):
        raise AntiphonError(f"{path} is truncated: it has {len(audio)} of {wanted} samples; copy it again")
    if not np.isfinite(audio).all():
        raise AntiphonError(f"{path} holds NaN or infinite samples: export it again")
    return resample(to_mono(audio) if mono else audio, rate, sample_rate)


def check_sound(audio: Audio, name: str | Path, sample_rate: int = SAMPLE_RATE, shortest: float = 0.03) -> None:
    """Raises AntiphonError if (samples,) audio is under `shortest` seconds or under -80 dBFS."""
    if len(audio) < shortest * sample_rate:
        raise AntiphonError(f"{name} is too short: {len(audio)} samples, a note needs {shortest} s")
    if float(np.abs(audio).max()) < 1e-4:
        raise AntiphonError(f"{name} is silent")


def check_target(path: str | Path, *, force: bool = False) -> Path:
    """The path, if `write_audio` may write it. Raises AntiphonError if it exists (unless `force`) or for its suffix."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise AntiphonError(f"cannot write {path.name!r}: end the name in {', '.join(sorted(_WRITERS))}")
    return check_place(path, force=force)


def check_place(path: Path, *, force: bool = False) -> Path:
    """The path, if a file may be written there. Raises AntiphonError if there is one (unless `force`) or a folder."""
    if path.is_dir():
        raise AntiphonError(f"{path} is a folder: give the name of a file in it")
    if path.exists() and not force:
        raise AntiphonError(f"{path} exists: choose another name, or add --force to replace it")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise AntiphonError(f"cannot write {path}: {folder} is no folder that may be written to")
    return path


def write_audio(path: str | Path, audio: Audio, *, sample_rate: int = SAMPLE_RATE, force: bool = False) -> Path:
    """Writes (samples,) or (samples, 2) float audio, clipped to ±1, in the format of the suffix; returns the path.

    wav, flac and aiff are 24-bit. The file appears complete or not at all. Raises AntiphonError if it exists already
    (unless `force`), for an unknown suffix, for audio that is not finite, or if the folder cannot be written.
    """
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim not in (1, 2):
        raise AntiphonError(f"cannot write {path}: the audio has a shape of {audio.shape}")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    with writing(path, channels, sample_rate=sample_rate, force=force) as write:
        write(audio)
    return Path(path)


@contextmanager
def writing(
    path: str | Path, channels: int, *, sample_rate: int = SAMPLE_RATE, force: bool = False
) -> Iterator[Callable[[Audio], None]]:
    """`write_audio` for sound that comes in blocks: gives a function that takes the next (n, channels) samples.

    The file appears when the `with` block is left; after an error in it there is none."""
    path = check_target(path, force=force)
    mark = zlib.crc32(path.name.encode(errors="surrogateescape"))  # the name itself may be as long as names can be
    temporary = path.with_name(f".{mark:08x}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _Encoder(temporary, _WRITERS[path.suffix.lower()], sample_rate, channels) as encoder:

            def write(audio: Audio) -> None:
                if not np.isfinite(audio).all():
                    raise AntiphonError(f"cannot write {path}: the audio has NaN or infinite samples")
                encoder.write(audio)

            yield write
        os.replace(temporary, path)
    except OSError as error:
        raise AntiphonError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


class _Encoder:
    """A sound file being written; what libsndfile complains of becomes an OSError."""

    def __init__(self, path: Path, kind: tuple[str, str], sample_rate: int, channels: int):
        import soundfile
        import soxr

        self._resample = None
        if kind[1] == "OPUS" and sample_rate != 48000:
            self._resample = soxr.ResampleStream(sample_rate, 48000, channels, dtype="float32", quality="HQ")
            sample_rate = 48000
        self._errors = (soundfile.SoundFileError, RuntimeError)
        with self._said():
            self._file = soundfile.SoundFile(str(path), "w", sample_rate, channels, format=kind[0], subtype=kind[1])

    def write(self, audio: Audio) -> None:
        self._write(self._resample.resample_chunk(audio) if self._resample else audio)

    def _write(self, audio: Audio) -> None:
        with self._said():
            for start in range(0, len(audio), _SLICE):
                self._file.write(np.clip(audio[start : start + _SLICE], -1, 1))

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        with self._said():
            if self._resample and not failed:
                rest = np.zeros((0, self._file.channels), np.float32)
                self._write(self._resample.resample_chunk(rest, last=True))
            self._file.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise OSError(" ".join(str(error).split())) from None


def _truncated(path: Path) -> bool:
    """Whether a WAV or AIFF claims more bytes of samples than the file has; libsndfile would shorten it silently."""
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
                return length < 0x7FFFFFFF and position + 8 + length > size
            position += 8 + length + (length & 1)
    return False
