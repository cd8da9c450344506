"""Play a MIDI file with a voice: from_song, from_file, from_file_to_file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.audio.files import check_target, write_audio
from antiphon.errors import AntiphonError
from antiphon.music.midi import Song, read_midi
from antiphon.music.player import render
from antiphon.verbs.find import check_seed, load
from antiphon.verbs.report import Report

if TYPE_CHECKING:
    from antiphon.voice import Voice

SONGS = Path(__file__).parent.parent / "songs"


def from_song(
    song: Song, voice: str | Path | Voice = "gm", *, instrument: str | None = None, seed: int = 0, quiet: bool = True
) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a song as the voice plays it.

    instrument: a label for every part, in place of the song's programs. seed: which players."""
    check_seed(seed)
    report, player = Report(quiet), load(voice)
    if instrument is not None:
        instrument = player.resolve(instrument, seed)
    for note in song.warnings:
        report.say(f"note: {note}")
    with _warnings_said(report), report.bar("playing") as advance:
        sound = render(song, player, instrument=instrument, seed=seed, progress=advance)
    return sound


def from_file(
    path: str | Path,
    voice: str | Path | Voice = "gm",
    *,
    instrument: str | None = None,
    seed: int = 0,
    quiet: bool = True,
) -> np.ndarray:
    """(samples, 2) float32 at 44.1 kHz: a MIDI file as the voice plays it; see from_song."""
    return from_song(read_midi(path), voice, instrument=instrument, seed=seed, quiet=quiet)


def from_file_to_file(
    path: str | Path,
    out: str | Path,
    voice: str | Path | Voice = "gm",
    *,
    instrument: str | None = None,
    seed: int = 0,
    force: bool = False,
    quiet: bool = True,
) -> Path:
    """Play a MIDI file into a sound file (wav, flac, ogg, mp3 ... by its suffix). -> its path

    Raises AntiphonError if `out` exists, unless force."""
    out = check_target(out, force=force)
    return write_audio(out, from_file(path, voice, instrument=instrument, seed=seed, quiet=quiet), force=force)


def play(
    song: str | Path | None = None,
    out: str | Path | None = None,
    voice: str | Path | Voice = "gm",
    *,
    instrument: str | None = None,
    seed: int = 0,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Play a MIDI file, or the bundled song, into a sound file; returns its path.

    out: a file, or a folder to put `<song>.wav` in; without it, a free name in the current folder. voice: a bundled
    voice's name, a run folder, a weights file or a loaded voice. instrument: a label for every part. seed: which
    players. Raises AntiphonError for a song that cannot be read, an unknown voice or instrument, or (without force) if
    `out` exists."""
    source = SONGS / "antiphon.mid" if song is None else Path(song)
    if out is None:
        target = _free(Path(f"{source.stem}.wav"), force)
    else:
        target = Path(out) / f"{source.stem}.wav" if Path(out).is_dir() else Path(out)
    return from_file_to_file(source, target, voice, instrument=instrument, seed=seed, force=force, quiet=quiet)


@contextmanager
def _warnings_said(report: Report) -> Iterator[None]:
    """Python warnings as one-line notes, once each."""
    said: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            report.say(f"note: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _free(path: Path, force: bool) -> Path:
    """The path, or with -2, -3 ... added to its name if it is taken."""
    if force or not path.exists():
        return path
    for number in range(2, 10_000):
        other = path.with_stem(f"{path.stem}-{number}")
        if not other.exists():
            return other
    raise AntiphonError(f"{path} and its successors exist: say where to with -o")
