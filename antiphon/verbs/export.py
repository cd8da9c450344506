"""Sampler packs: a voice as samples that other people's instruments play. from_voice, and `export`, into a folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from antiphon.audio.files import check_place
from antiphon.audio.loops import fall_time, find_loop
from antiphon.core.atomic import all_atomic, in_folder
from antiphon.core.errors import AntiphonError
from antiphon.core.registry import choose
from antiphon.core.seeds import check_seed
from antiphon.verbs.exporters.pack import Exporter, Files, Instrument, Pack, Sample, exporters, printable
from antiphon.verbs.exporters.plan import ALL, Grid, plan
from antiphon.verbs.exporters.whole import Wish, whole_exporters
from antiphon.verbs.report import Advance, Report
from antiphon.voices.find import load
from antiphon.voices.playable import PlayableVoice

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

HELD, UNLOOPED = 2.0, 6.0  # seconds that a note is held: with a loop, and where it has none
PEAK = 0.89  # -1 dBFS: of the loudest sample of a pack
CHUNK = 32
FADING = 1024  # samples, at most, in which a note that has died away is faded after its hold
COVER = "README.txt"


def from_voice(
    voice: str | Path | Voice = "gm",
    *,
    instrument: str | Sequence[str] = (),
    keys: int = 3,
    velocities: int = 3,
    takes: int = 2,
    seconds: float | None = None,
    loop: str = "auto",
    seed: int | str = 0,
    quiet: bool = True,
) -> Pack:
    """The samples of a voice with the keys and velocities they answer to, as `export` writes them. For the keywords see
    there. Each sample is the sound of `voice.note`, all multiplied by one gain; only what lies within 0.1 s of a loop's
    join differs."""
    player = load(voice).able(PlayableVoice, "become a sampler pack")
    grid = Grid(keys, velocities, takes, _held(seconds, loop), check_seed(seed))
    with Report(quiet).bar("rendering") as advance:
        return _rendered(player, plan(player, _names(instrument), grid), seconds, loop, advance)


def export(
    voice: str | Path | Voice,
    out: str | Path,
    *,
    format: str = "sfz",
    instrument: str | Sequence[str] = (),
    keys: int = 3,
    velocities: int = 3,
    takes: int = 2,
    seconds: float | None = None,
    loop: str = "auto",
    seed: int | str = 0,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Write a voice as a pack for samplers into the folder `out`, or whole; returns `out`.

    format: sfz, decentsampler, multisample, sf2 or wav: samples; web: one HTML file that plays the voice itself, at
    `out`; onnx: its networks. instrument: labels, abbreviations, General MIDI names, blends
    ("flute:0.6,strings:0.4") or recordings of a note; "all" for everything (default: all, of a voice of few). Drums go
    to their General MIDI keys. keys: semitones from one sampled key to the next, at most. velocities: layers. takes:
    how many variants of each sample sound in turn (a soundfont has one). seconds: how long notes are held (default: 2,
    and up to 6 those without a loop). loop: "auto" where a note lasts and the join cannot be heard, or "no". seed:
    another player. Raises AntiphonError for a voice that cannot play notes, for invalid values, or (without force) if a
    file exists; then, and when interrupted, nothing is written."""
    if format in whole_exporters():
        names = _names(instrument)
        return _export_whole(voice, Path(out), format, names, check_seed(seed), force, Report(quiet))
    writer: Exporter = choose(exporters() | whole_exporters(), "format", format)
    folder, report, number = Path(out), Report(quiet), check_seed(seed)
    if folder.exists() and not folder.is_dir():
        raise AntiphonError(f"{folder} is not a folder: give a folder for the pack")
    player, names = load(voice).able(PlayableVoice, "become a sampler pack"), _names(instrument)
    grid = Grid(keys, velocities, takes if writer.turns else 1, _held(seconds, loop), number)
    with report.warnings():
        pack = plan(player, names, grid)
    pack = replace(pack, about=_about(player, grid, _line(voice, folder, format, names, grid, seconds, loop)))
    for path in _files(pack, writer):
        check_place(folder / path, force=force)
    with report.bar("rendering") as advance:
        pack = _rendered(player, pack, seconds, loop, advance)
    with report.bar("writing") as advance:
        _write(folder, _files(pack, writer), advance)
    return folder


def _export_whole(
    voice: str | Path | Voice, out: Path, format: str, names: list[str], seed: int, force: bool, report: Report
) -> Path:
    """Write a voice itself, as one file or as several in a folder."""
    writer, player = whole_exporters()[format], load(voice).able(PlayableVoice, "be exported")
    writer.check(player)
    if writer.paths and out.exists() and not out.is_dir():
        raise AntiphonError(f"{out} is not a folder: give a folder")
    if not writer.paths and out.is_dir():
        raise AntiphonError(f"{out} is a folder: give a file, such as {out / 'instrument.html'}")
    for path in writer.paths or ("",):
        check_place(out / path if path else out, force=force)
    names = [] if names == [ALL] else names
    own = Path(voice).name if isinstance(voice, str | Path) else voice.info.name
    words = ["antiphon", "export", own, "-o", out.name, "--format", format, "--seed", str(seed)]
    words += ["--instrument", *(Path(name).name for name in names)] if names else []
    with report.warnings(), report.bar("exporting") as advance:
        wish = Wish(player, tuple(names), seed, _told(player, {"Seed": str(seed)}, shlex.join(words)), advance)
        found = {out / path if path else out: make() for path, make in writer.files(wish).items()}
        _write_all(found)
    return out


def _write_all(found: dict[Path, bytes]) -> None:
    """All of them, or none."""
    with in_folder(*(path.parent for path in found)), all_atomic(list(found)) as drafts:
        for draft, content in zip(drafts, found.values(), strict=True):
            draft.write_bytes(content)


def _names(instrument: str | Sequence[str]) -> list[str]:
    return [instrument] if isinstance(instrument, str) else [str(name) for name in instrument]


def _held(seconds: float | None, loop: str) -> float:
    if loop not in ("auto", "no"):
        raise AntiphonError(f"loop cannot be {loop!r}: use auto or no")
    return seconds if seconds is not None else HELD if loop == "auto" else UNLOOPED


# ---- rendering -------------------------------------------------------------------------------------------------------


def _rendered(player: PlayableVoice, pack: Pack, seconds: float | None, loop: str, advance: Advance) -> Pack:
    """The pack with its samples' sounds, loops and releases, all of one gain."""
    held = list(pack.samples)
    done = dict(zip(held, _sounds(player, held, loop == "auto", advance), strict=True))
    dying = {sample for i in pack.instruments if not _lasts(i, done) for sample in i.samples}
    again = [sample for sample in held if sample in dying and done[sample].loop]  # without it
    if seconds is None and loop == "auto":  # what has no loop sounds for longer
        again = [sample for sample in held if _is_cut(done[sample]) and (not done[sample].loop or sample in dying)]
    longer = [_longer(sample) if seconds is None else sample for sample in again]
    done |= zip(again, _sounds(player, longer, False, advance), strict=True)
    return _of_one_gain(pack, done)


def _of_one_gain(pack: Pack, done: dict[Sample, Sample]) -> Pack:
    """The pack with samples that are `done`, the loudest at PEAK."""
    loudest = max(float(np.abs(sample.sound).max(initial=0)) for sample in done.values())
    gain = np.float32(PEAK / max(loudest, 1e-9))
    done = {before: replace(after, sound=after.sound * gain) for before, after in done.items()}
    instruments = [
        replace(i, zones=tuple(replace(zone, sample=done[zone.sample]) for zone in i.zones)) for i in pack.instruments
    ]
    return replace(pack, instruments=tuple(instruments))


def _sounds(player: PlayableVoice, samples: Sequence[Sample], loops: bool, advance: Advance) -> list[Sample]:
    """Samples with their sounds."""
    made: list[Sample] = []
    for first in range(0, len(samples), CHUNK):
        some = samples[first : first + CHUNK]
        w = np.stack([sample.w for sample in some])
        sounds = player.notes([sample.note for sample in some], w=w)
        made += [_with(sample, sound, loops) for sample, sound in zip(some, sounds, strict=True)]
        advance(len(made), len(samples))
    return made


def _with(sample: Sample, sound: np.ndarray, loops: bool) -> Sample:
    sound = sound * np.float32(10 ** (sample.level / 20))
    if not sample.hold:
        return replace(sample, sound=sound)
    found, release = find_loop(sound, sample.hold) if loops else None, fall_time(sound, sample.hold)
    if found is None:
        return replace(sample, sound=sound, release=release)
    return replace(sample, sound=found.sound, loop=(found.start, found.end), release=release)


def _lasts(instrument: Instrument, done: dict[Sample, Sample]) -> bool:
    """Whether most of an instrument's notes have a loop. If not, those few were taken for steady by mistake."""
    samples = instrument.samples
    return 2 * sum(done[sample].loop is not None for sample in samples) >= len(samples)


def _is_cut(sample: Sample) -> bool:
    """Whether a sample was still sounding when its note was let go."""
    return 0 < sample.hold < len(sample.sound) - FADING


def _longer(sample: Sample) -> Sample:
    rate = sample.hold / sample.note.seconds
    return replace(sample, note=replace(sample.note, seconds=UNLOOPED), hold=round(UNLOOPED * rate))


# ---- writing ---------------------------------------------------------------------------------------------------------


def _files(pack: Pack, writer: Exporter) -> Files:
    return writer.files(pack) | {COVER: lambda: _cover(pack, writer)}


def _write(folder: Path, files: Files, advance: Advance) -> None:
    """All of them, or none."""
    paths = [folder / path for path in files]
    with in_folder(*(path.parent for path in paths)), all_atomic(paths) as drafts:
        for done, (draft, make) in enumerate(zip(drafts, files.values(), strict=True), 1):
            draft.write_bytes(make())
            advance(done, len(drafts))


def _about(player: PlayableVoice, grid: Grid, line: str) -> tuple[tuple[str, str], ...]:
    return _told(player, {"Seed": f"{grid.seed}; takes 0 to {grid.takes - 1}"}, line)


def _told(player: PlayableVoice, more: dict[str, str], line: str) -> tuple[tuple[str, str], ...]:
    """What there is to know about an export."""
    info = player.info
    training = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in info.training.items() if v not in (None, ""))
    told = {
        "Voice": info.name,
        "Licence": info.licence,
        "Sources": "; ".join(info.sources) or "not recorded",
        "Training": training or "not recorded",
        **more,
        "Made by": f"Antiphon: {line}",
    }
    return tuple((head, printable(text)) for head, text in told.items())


def _line(
    voice: str | Path | Voice,
    folder: Path,
    format: str,
    names: Sequence[str],
    grid: Grid,
    seconds: float | None,
    loop: str,
) -> str:
    """The command that makes the pack again."""
    own = Path(voice).name if isinstance(voice, str | Path) else voice.info.name
    words: list[object] = ["antiphon", "export", own, "-o", folder.name or "pack", "--format", format]
    words += ["--instrument", *(Path(name).name for name in names)] if names else []
    words += ["--keys", grid.keys, "--velocities", grid.velocities, "--takes", grid.takes, "--seed", grid.seed]
    words += ["--seconds", f"{seconds:g}"] if seconds is not None else []
    words += ["--loop", loop] if loop != "auto" else []
    return shlex.join(map(str, words))


def _cover(pack: Pack, writer: Exporter) -> bytes:
    """What a pack's README.txt says."""
    head = f"{pack.name}: samples of a voice that was learned, not recorded"
    parts = [head, "=" * len(head), "", writer.how, "", *(f"{name}: {text}" for name, text in pack.about), ""]
    for instrument in pack.instruments:
        looped = sum(sample.loop is not None for sample in instrument.samples)
        where = "the drum kit (bank 128)" if instrument.bank == 128 else f"program {instrument.program}"
        parts.append(f"{instrument.name}: {len(instrument.samples)} samples, {looped} of them with a loop; {where}")
    return ("\n".join(parts) + "\n").encode()
