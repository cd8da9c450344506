"""From the name of a voice to the voice."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.core.detail import detail
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import WEIGHTS

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

VOICES = Path(__file__).parent / "bundled"


def bundled() -> list[str]:
    """The names of the voices bundled with the package."""
    return sorted(p.stem for p in VOICES.glob("*.safetensors") if "." not in p.stem)  # gm, but not gm.critics


def find(voice: str | Path) -> Path:
    """The weights file of a bundled voice, a run folder or a file. Raises AntiphonError if there is none."""
    if str(voice) in bundled():
        return VOICES / f"{voice}.safetensors"
    path = Path(os.path.expanduser(voice))
    if os.path.isdir(path):
        if (path / WEIGHTS).is_file():
            return path / WEIGHTS
        raise AntiphonError(f"{path} has no {WEIGHTS} (yet): give a run folder of `antiphon train`")
    for file in (path, Path(f"{path}.safetensors")):
        if os.path.isfile(file):
            return file
    if os.path.exists(path):
        raise AntiphonError(f"{path} is not a regular file: give a bundled name, a run folder or a weights file")
    near = difflib.get_close_matches(str(voice), bundled(), 1)
    hint = f"did you mean {near[0]}?" if near else f"bundled: {', '.join(bundled()) or 'none'}"
    raise AntiphonError(f"no voice named '{voice}' ({hint}): give a bundled name, a run folder or a weights file")


def voices_in(folder: Path) -> list[Path]:
    """The run folders and weights files directly inside a folder. Raises AntiphonError if it is none."""
    from antiphon.voices.checkpoint import read_metadata

    if not folder.is_dir():
        raise AntiphonError(f"{folder} is not a folder: give one that holds runs or weights files")

    def is_voice(path: Path) -> bool:
        file = path / WEIGHTS if path.is_dir() else path
        if file.suffix != ".safetensors" or not file.is_file():
            return False
        try:
            return "kind" in read_metadata(file)
        except AntiphonError:
            return False

    return sorted(path for path in folder.iterdir() if is_voice(path))


def title(place: str | Path) -> str:
    """The name of a run folder, a folder of sounds or a file: a folder's whole name, a file's without its suffix."""
    path = Path(os.path.abspath(place))
    return path.name if path.is_dir() else path.stem


def load(voice: str | Path | Voice = "gm") -> Voice:
    """A voice ready to play, by its bundled name, its run folder or its weights file.

    Raises AntiphonError, in one line, if there is none or the file is damaged or not a voice. Nothing in it is
    executed."""
    from antiphon.voices.checkpoint import load_voice
    from antiphon.voices.voice import Voice

    if isinstance(voice, Voice):
        return voice
    file = find(voice)
    detail(f"voice {voice}: {file}")
    return load_voice(file)
