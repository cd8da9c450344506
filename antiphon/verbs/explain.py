"""Why does it sound like that? from_voice, from_note and from_recording give the facts; `explain` writes the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.audio.files import check_place, read_audio
from antiphon.core.atomic import all_atomic, in_folder
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.core.run_files import PREPARED
from antiphon.core.seeds import check_seed
from antiphon.data.labelling.labels import parse_pitch
from antiphon.data.prepared import Prepared
from antiphon.metrics.controls import fit_controls
from antiphon.metrics.critics_map import read_critics
from antiphon.metrics.nearest_sounds import Index, found_beside, make_index, write_index
from antiphon.networks.discriminators.logmel import Discriminators
from antiphon.training.run_folder import critics_of
from antiphon.verbs.explained import Explained, note_explained, recording_explained, voice_explained
from antiphon.verbs.explanation_page import explanation_page
from antiphon.verbs.report import Report
from antiphon.voices.capabilities import Imagines
from antiphon.voices.controls import Controls, write_controls
from antiphon.voices.expression import common_pitch
from antiphon.voices.find import load
from antiphon.voices.playable import PlayableVoice

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

HELD = 1.5  # seconds of a note, by default
WORDS = {"seed": "seed", "velocity": "velocity", "seconds": "seconds"}
KEY = re.compile(r"[A-Ga-g](#|b|♯|♭)?-?\d|\d{1,3}(\.\d+)?")


def from_voice(
    voice: str | Path | Voice = "gm", instrument: str | None = None, *, quiet: bool = True
) -> dict[str, Any]:
    """What a voice's controls are and what each moves, its instruments' typical sounds, and what it never heard, as
    plain JSON."""
    player = _player(voice)
    return voice_explained(player, _controls(player, Report(quiet)), _label(player, instrument)).facts


def from_note(note: str | Note, voice: str | Path | Voice = "gm", *, quiet: bool = True) -> dict[str, Any]:
    """What made one sound, as plain JSON: its parts, its conditions' contributions, the nearest training sounds, and
    what the critics hear in it, if they lie beside the voice.

    note: "flute C5 seed 7", with "velocity 90" and "seconds 1.5" if you like, or a Note."""
    player, report = _player(voice), Report(quiet)
    wanted = parse_note(note, player) if isinstance(note, str) else note
    found = _controls(player, report), _index(player, None, report), _critics(player)
    return note_explained(player, wanted, *found).facts


def from_recording(path: str | Path, voice: str | Path | Voice = "gm", *, quiet: bool = True) -> dict[str, Any]:
    """Where a recording of one note lies among a voice's sounds, and what the voice makes of it, as plain JSON."""
    player, report = _player(voice), Report(quiet)
    found = _controls(player, report), _index(player, None, report), _critics(player)
    return recording_explained(player, Path(path), *found).facts


def explain(
    voice: str | Path | Voice,
    out: str | Path = "why.html",
    *,
    instrument: str | None = None,
    note: str | None = None,
    recording: str | Path | None = None,
    fit: bool = False,
    sounds: str | Path | None = None,
    workers: int | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Explain a voice, one of its notes or a recording on a page of its own, with the same as JSON beside it; returns
    the page's path.

    instrument: the one to hear the controls with. note: such as "flute C5 seed 7". recording: a sound file of one note.
    fit: find the voice's controls first, by listening to it, and keep them beside its weights. sounds: the prepared
    file that it was trained on, to find the nearest training sounds in (default: the run's own); with fit, an index of
    them is kept too. workers: processes that listen (default: one per processor). Raises AntiphonError for a voice that
    imagines nothing, a note that cannot be read, and (without force) if a file exists."""
    if sum(x is not None for x in (instrument, note, recording)) > 1:
        raise AntiphonError("give one of --instrument, --note and --recording: a page explains one thing")
    page, facts = _targets(Path(out), force)
    player, report = _player(voice), Report(quiet)
    wanted = parse_note(note, player) if note is not None else None
    label = _label(player, instrument)
    if recording is not None:
        read_audio(recording, max_seconds=1.0)  # what cannot be read is no reason to listen to a voice first
    if fit:
        _fit(player, sounds, workers, report)
    controls, index = _controls(player, report), _index(player, sounds, report)
    with report.warnings():
        if wanted is not None:
            made = note_explained(player, wanted, controls, index, _critics(player))
        elif recording is not None:
            made = recording_explained(player, Path(recording), controls, index, _critics(player))
        else:
            made = voice_explained(player, controls, label)
    _write(made, page, facts)
    return page


def _targets(out: Path, force: bool) -> tuple[Path, Path]:
    page = out if out.suffix.lower() in (".html", ".htm") else out.with_name(f"{out.name}.html")
    return check_place(page, force=force), check_place(page.with_suffix(".json"), force=force)


def _write(made: Explained, page: Path, facts: Path) -> None:
    text, said = explanation_page(made), json.dumps(made.facts, indent=1, ensure_ascii=False, allow_nan=False)
    with in_folder(page.parent), all_atomic([page, facts]) as (html, plain):
        html.write_text(text, encoding="utf-8")
        plain.write_text(said + "\n", encoding="utf-8")


def _player(voice: str | Path | Voice) -> PlayableVoice:
    return load(voice).able(PlayableVoice, "have its sounds explained")


def _label(player: PlayableVoice, instrument: str | None) -> str | None:
    return None if instrument is None else player.resolve(instrument)


def _controls(player: PlayableVoice, report: Report) -> Controls | None:
    """The voice's controls; None, and a line, if it has none."""
    try:
        return player.able(Imagines, "imagine sounds").controls
    except AntiphonError as error:
        report.say(f"note: {error}")
        return None


def _index(player: PlayableVoice, sounds: str | Path | None, report: Report) -> Index | None:
    if sounds is None and player.file is None:
        return None
    with report.bar("listening to the training sounds") as advance:
        if sounds is not None:
            return make_index(Prepared(sounds), advance)
        assert player.file is not None
        return found_beside(player.file, player.file.with_name(PREPARED), advance)


def _critics(player: PlayableVoice) -> Discriminators | None:
    """The critics that were published beside a voice, or its run's; None if there are none, or of another sort."""
    file = None if player.file is None else critics_of(player.file)
    return None if file is None else read_critics(file, len(player.instruments))


def _fit(player: PlayableVoice, sounds: str | Path | None, workers: int | None, report: Report) -> None:
    if player.file is None:
        raise AntiphonError(f"{player.info.name} was not read from a file: save it, and fit its controls there")
    with report.bar("listening") as advance:
        controls = fit_controls(player, progress=advance, processes=workers)
    report.say(f"controls: {write_controls(controls, player.file)}")
    player.__dict__.pop("controls", None)  # what was read before
    if sounds is not None:
        with report.bar("listening to the training sounds") as advance:
            report.say(f"index: {write_index(make_index(Prepared(sounds), advance), player.file)}")


def parse_note(text: str, voice: Any) -> Note:
    """ "flute C5 seed 7" as a Note of the voice: a label, a pitch, and "seed", "velocity" or "seconds" with a number.

    Raises AntiphonError for anything else."""
    words, said = text.split(), {}
    for name in WORDS:
        if name in words[:-1]:
            at = words.index(name)
            said[name] = words[at + 1]
            del words[at : at + 2]
    keys = [i for i, word in enumerate(words) if i and KEY.fullmatch(word)]
    pitch = parse_pitch(words.pop(keys[-1])) if keys and len(words) > 1 else None
    if not words:
        raise AntiphonError(f"'{text}' is not a note: write it like flute C5 seed 7")
    seed = check_seed(said.get("seed", 0))
    label = voice.resolve(" ".join(words), seed)
    if pitch is None:
        pitch = common_pitch(voice, (label,)) if voice.pitched else 60.0
    return Note(pitch, _number(said, "seconds", HELD), _number(said, "velocity", 100.0), label, (), seed)


def _number(said: Mapping[str, str], name: str, usual: float) -> float:
    try:
        return float(said.get(name, usual))
    except ValueError:
        raise AntiphonError(f"'{name} {said[name]}' is not a number: write it like {name} {usual:g}") from None
