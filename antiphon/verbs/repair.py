"""Repair recordings: from_audio, from_file, and `repair`, from files to files; `listen` only says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from antiphon.audio.files import WRITTEN, blocks, check_place, check_target, find_audio, probe, read_audio, writing_all
from antiphon.audio.ops import resample
from antiphon.core.atomic import atomic, in_folder, nameless
from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE
from antiphon.core.words import counted
from antiphon.data.analysis.wear import Faults, Listener
from antiphon.verbs.report import Report
from antiphon.voices.find import load
from antiphon.voices.mending import AUTO, BY_NETWORK, Mending, chosen, mendable
from antiphon.voices.repair import RepairVoice

if TYPE_CHECKING:
    from antiphon.voices.voice import Voice

USUAL = "repair"
BLOCK = 1 << 16  # samples at once
PAGE = (".html", ".htm")
COARSE = 90  # kbit/s of a channel, below which a codec is heard
SHOWN = 30  # seconds of a sound on a page, those that changed most
SINGLE = np.dtype("<f4")
INSTEAD = ".wav"  # where a format can be read and not written
TAKEN_AWAY = ("noise", "hum", "clicks", "clipping")  # what a sound to learn from is rid of: nothing is invented


# ---- the ladder ------------------------------------------------------------------------------------------------------


def from_audio(
    audio: np.ndarray,
    sample_rate: int = SAMPLE_RATE,
    *,
    what: str | Sequence[str] = AUTO,
    strength: float = 1.0,
    voice: str | Path | Voice = USUAL,
) -> np.ndarray:
    """A sound repaired: of the same shape, float32, at the same rate; at 44.1 kHz if treble was added and it had no
    room for that.

    audio: (samples,) or (samples, channels) float, at `sample_rate` Hz. what: auto for whatever is heard to be wrong,
    or names of damages ("noise,hum"). strength: 0 to 1, how much of the change is made. voice: a bundled voice, a run
    folder or a weights file that repairs. Raises AntiphonError for samples that are not finite."""
    sound = np.asarray(audio, np.float32)
    if sound.ndim not in (1, 2) or not np.isfinite(sound).all():
        raise AntiphonError("cannot repair this: give (samples,) or (samples, channels) finite numbers")
    whole = sound if sound.ndim == 2 else sound[:, None]
    faults = _heard([whole], sample_rate)
    job = _Job(faults, chosen(what, faults), sample_rate, whole.shape[1], _checked(strength), voice)
    out = np.concatenate([*job([whole]), np.zeros((0, whole.shape[1]), np.float32)])
    return out if sound.ndim == 2 else out[:, 0]


def mended(audio: np.ndarray, *, voice: str | Path | Voice = USUAL) -> np.ndarray:
    """A sound to learn from, rid of the noise, hum, clicks and clipping that are heard in it; the same array if there
    are none. audio: (samples,) or (samples, channels) float32 at 44.1 kHz."""
    whole = audio if audio.ndim == 2 else audio[:, None]
    faults = _heard([whole], SAMPLE_RATE)
    wanted = [name for name in TAKEN_AWAY if name in faults.amounts]
    return from_audio(audio, what=wanted, voice=voice) if wanted else audio


def listen(path: str | Path, report: Report | None = None) -> Faults:
    """What is wrong with a sound file, of any length."""
    header = probe(path)
    with (report or Report(True)).bar(f"listening to {Path(path).name}") as advance:
        faults = _heard(_counted(blocks(path, BLOCK), header.frames, advance), header.sample_rate)
    kilobits = Path(path).stat().st_size * 8 / 1000 / max(header.seconds * header.channels, 1e-3)
    if header.estimated and kilobits < COARSE:  # the codec says itself how coarse it is
        return replace(faults, amounts=faults.amounts | {"codec": kilobits})
    return faults


def listen_to(sources: Sequence[str | Path], quiet: bool = True) -> list[str]:
    """A line for each sound file, or each in a folder: its name, and what is wrong with it."""
    report = Report(quiet)
    return [f"{path}: {listen(path, report).words}" for given in sources for path, _ in _named(Path(given))]


def repair(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    what: str | Sequence[str] = AUTO,
    strength: float = 1.0,
    removed: str | Path | None = None,
    picture: bool = False,
    voice: str | Path | Voice = USUAL,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Repair a sound file, several, or a folder of them. -> the file or folder written

    source: sound files of any format, length and number of channels, or folders of them. out: a sound file (wav, flac,
    ogg, mp3, opus, aiff), or PAGE.html to see and hear before and after; for several files or a folder, a folder, in
    which they have the same names. what: auto for whatever is heard to be wrong with a file, or names of damages:
    noise, hum, clicks, clipping, bandwidth, codec, reverb. strength: 0 to 1, how much of the change is made. removed:
    a sound file for what was taken away. picture: also draw spectrograms before and after, in a PNG of the same name.
    voice: a bundled voice, a run folder or a weights file that repairs. Raises AntiphonError for files that cannot be
    read, and (without force) for those that exist; of a folder, only if none can be read."""
    report, target = Report(quiet), Path(out)
    chosen(what, Faults())  # a wrong name is refused before anything is read
    how: dict[str, Any] = {
        "what": what,
        "strength": _checked(strength),
        "voice": voice,
        "report": report,
        "force": force,
    }
    given = [source] if isinstance(source, str | Path) else list(source)
    if len(given) == 1 and not Path(given[0]).is_dir():
        path = Path(given[0])
        if target.suffix.lower() in PAGE:
            return _page(path, target, removed=removed, **how)
        return _one(path, target, removed=removed, picture=picture, **how)
    if removed is not None:
        raise AntiphonError("--removed is for a single file: repair them one by one")
    return _several([Path(path) for path in given], target, picture=picture, **how)


def _checked(strength: float) -> float:
    if not 0 <= strength <= 1:
        raise AntiphonError(f"cannot repair with strength {strength:g}: use 0 to 1")
    return strength


# ---- files -----------------------------------------------------------------------------------------------------------


def _several(paths: list[Path], folder: Path, *, picture: bool, report: Report, force: bool, **how: Any) -> Path:
    """Each file of a list, and of the folders in it, into a folder."""
    names = {path: name for given in paths for path, name in _named(given)}
    if folder.suffix and not folder.is_dir():
        raise AntiphonError(f"{folder} looks like a file: for several sounds give a folder")
    if len(set(names.values())) < len(names):
        raise AntiphonError("two of these files have the same name: repair them one by one")
    refused = []
    for path, name in names.items():
        target = folder / name
        if target.suffix.lower() not in WRITTEN:
            target = target.with_suffix(INSTEAD)
        try:
            _one(path, target, removed=None, picture=picture, report=report, force=force, **how)
        except AntiphonError as error:
            refused.append(str(error))
            report.say(f"left out: {error}")
    if len(refused) == len(names):
        raise AntiphonError(f"nothing was repaired: {refused[0]}" if refused else f"{paths[0]} holds no sound files")
    if refused:
        report.say(f"{counted(len(names) - len(refused), 'file')} repaired, {len(refused)} left out")
    return folder


def _named(given: Path) -> Iterator[tuple[Path, Path]]:
    """Sound files, and what they are to be called."""
    if given.is_dir():
        yield from ((path, path.relative_to(given)) for path in find_audio(given))
    else:
        yield given, Path(given.name)


def _one(
    path: Path,
    target: Path,
    *,
    what: str | Sequence[str],
    strength: float,
    removed: str | Path | None,
    picture: bool,
    voice: str | Path | Voice,
    report: Report,
    force: bool,
) -> Path:
    """One file, of any length, in constant memory: once to listen, once to repair, once to write, since only then it is
    known how loud it has become."""
    targets = [check_target(t, force=force) for t in ([target] if removed is None else [target, Path(removed)])]
    drawn = check_place(target.with_suffix(".png"), force=force) if picture else None
    faults, header = listen(path, report), probe(path)
    wanted = chosen(what, faults)
    report.say(f"{path.name}: {faults.words}{_instead(what, wanted, faults)}")
    job = _Job(faults, wanted, header.sample_rate, header.channels, strength, voice)
    with ExitStack() as stack:
        stack.enter_context(in_folder(target.parent))
        kept = [_Kept(stack.enter_context(nameless(target.parent)), header.channels) for _ in targets]
        with report.bar(f"repairing {path.name}") as advance:
            for block in job(_counted(blocks(path, BLOCK), header.frames, advance)):
                kept[0].add(block)
                if len(kept) > 1:
                    kept[1].add(job.taken)
        gain = _fitting(kept[0].peak, faults.peak, report)
        with writing_all(targets, header.channels, sample_rate=job.rate, force=force) as writers:
            for write, sound in zip(writers, kept, strict=True):
                for block in sound.read():
                    write(block * gain)
    if drawn is not None:
        _draw(path, target, drawn)
    return target


def _instead(what: str | Sequence[str], wanted: dict[str, float | None], faults: Faults) -> str:
    """What else there is to say of a choice."""
    if what == AUTO:
        kept = [name for name, amount in faults.doubtful.items() if mendable(name, amount)]
        asked = ",".join([*wanted, *kept])
        return f" (kept: it may be the music's own; --what {asked} repairs it)" if kept else ""
    return f"; repairing {', '.join(wanted)}, as asked" if wanted else ""


def _fitting(peak: float, before: float, report: Report) -> np.float32:
    """The gain at which a sound whose peaks were put back still fits into a file."""
    if peak <= max(1.0, before):
        return np.float32(1)
    report.say(f"note: {20 * np.log10(peak / 0.999):.1f} dB softer as a whole, so that its restored peaks fit")
    return np.float32(0.999 / peak)


class _Kept:
    """A sound on disk while it is made."""

    def __init__(self, file: IO[bytes], channels: int):
        self._file, self._channels, self.peak = file, channels, 0.0

    def add(self, block: np.ndarray) -> None:
        self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
        self._file.write(np.ascontiguousarray(block, SINGLE).tobytes())

    def read(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        while data := self._file.read(BLOCK * 4 * self._channels):
            yield np.frombuffer(data, SINGLE).reshape(-1, self._channels)


def _counted(sound: Iterable[np.ndarray], total: int, advance: Callable[[int, int], None]) -> Iterator[np.ndarray]:
    done = 0
    for block in sound:
        yield block
        done += len(block)
        advance(min(done, total), total)


# ---- one sound -------------------------------------------------------------------------------------------------------


def _heard(sound: Iterable[np.ndarray], rate: int) -> Faults:
    """What is wrong with a sound at a rate."""
    listener, change = Listener(), _Rate(rate, SAMPLE_RATE)
    for block in sound:
        for piece in range(0, len(block), BLOCK):
            listener(change(block[piece : piece + BLOCK]))
    listener(change.finish())
    return listener.heard()


class _Job:
    """A sound's repair at its own rate: the repair itself is at 44.1 kHz, and what it changes is added to the sound as
    it came, so that nothing else is touched, whatever its rate. Calling it with blocks yields blocks; `taken` is what
    was taken away from the last one.

    rate: of what comes out, the sound's own unless treble was added for which that has no room."""

    def __init__(
        self,
        faults: Faults,
        wanted: dict[str, float | None],
        rate: int,
        channels: int,
        strength: float,
        voice: str | Path | Voice,
    ):
        needed = strength > 0 and any(name in wanted for name in BY_NETWORK)
        self._mending = Mending(_repairer(voice) if needed else None, faults, wanted, channels, strength)
        self._given_rate, self._channels = rate, channels
        wider = strength > 0 and wanted.get("bandwidth") is not None
        self.rate = SAMPLE_RATE if rate < SAMPLE_RATE and wider else rate
        self.taken = np.zeros((0, channels), np.float32)

    def __call__(self, sound: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        inward, onward = _Rate(self._given_rate, SAMPLE_RATE), _Rate(SAMPLE_RATE, self.rate)
        straight = _Rate(self._given_rate, self.rate)
        known, here, changed = (_Queue(self._channels) for _ in range(3))
        for block in sound:
            for start in range(0, len(block), BLOCK):
                piece = block[start : start + BLOCK]
                here.add(straight(piece))
                at_ours = inward(piece)
                known.add(at_ours)
                changed.add(onward(self._change(self._mending(at_ours), known)))
                yield self._joined(here, changed, min(len(here), len(changed)))
        rest = inward.finish()
        known.add(rest)
        here.add(straight.finish())
        last = np.concatenate([self._mending(rest), self._mending.finish()])
        changed.add(onward(self._change(last, known)))
        changed.add(onward.finish())
        changed.add(np.zeros((max(len(here) - len(changed), 0), self._channels), np.float32))
        yield self._joined(here, changed, len(here))

    @staticmethod
    def _change(made: np.ndarray, known: _Queue) -> np.ndarray:
        return made - known.take(len(made))

    def _joined(self, here: _Queue, changed: _Queue, count: int) -> np.ndarray:
        change = changed.take(count)
        self.taken = -change
        return here.take(count) + change


class _Queue:
    """Samples, first in, first out."""

    def __init__(self, channels: int):
        self._kept = np.zeros((0, channels), np.float32)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, block: np.ndarray) -> None:
        self._kept = np.concatenate([self._kept, block.reshape(-1, self._kept.shape[1])])

    def take(self, count: int) -> np.ndarray:
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken


class _Rate:
    """Sound in blocks, (n, channels), from one sample rate to another."""

    def __init__(self, source: int, target: int):
        self._rates = source, target
        self._stream: Any = None
        self._channels = 1

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self._channels = block.shape[1]
        if self._rates[0] == self._rates[1]:
            return block
        if self._stream is None:
            import soxr

            self._stream = soxr.ResampleStream(*self._rates, block.shape[1], dtype="float32", quality="HQ")
        return self._stream.resample_chunk(np.ascontiguousarray(block)).reshape(-1, self._channels)  # type: ignore

    def finish(self) -> np.ndarray:
        if self._stream is None:
            return np.zeros((0, self._channels), np.float32)
        rest = self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)
        return np.asarray(rest).reshape(-1, self._channels)


def _repairer(voice: str | Path | Voice) -> RepairVoice:
    found = load(voice)
    if not isinstance(found, RepairVoice):
        raise AntiphonError(f"{found.info.name} cannot repair recordings: use a voice that does, such as {USUAL}")
    return found


# ---- before and after ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Both:
    """The part of a sound that changed most, (samples,) at 44.1 kHz, before and after, and what was taken away."""

    before: np.ndarray
    after: np.ndarray
    taken: np.ndarray
    start: float
    titles: tuple[str, str, str] = field(default=("before", "after", "taken away"))


def _both(before: np.ndarray, after: np.ndarray) -> _Both:
    """before, after: (samples,) at 44.1 kHz."""
    size = min(len(before), len(after))
    change = after[:size] - before[:size]
    span = SHOWN * SAMPLE_RATE
    energy = np.add.reduceat(np.square(change, dtype=float), np.arange(0, max(size, 1), SAMPLE_RATE)) if size else [0.0]
    totals = np.convolve(energy, np.ones(SHOWN), "valid") if len(energy) > SHOWN else np.zeros(1)
    start = int(np.argmax(totals)) * SAMPLE_RATE
    part = slice(start, start + span)
    return _Both(before[part], after[part], -change[part], start / SAMPLE_RATE)


def _draw(path: Path, made: Path, drawn: Path) -> None:
    from antiphon.metrics.plots.sheet import spectrogram_strip

    both = _both(read_audio(path), read_audio(made))
    spectrogram_strip([both.before, both.after, both.taken], both.titles, drawn)


def _page(
    path: Path,
    target: Path,
    *,
    what: str | Sequence[str],
    strength: float,
    removed: str | Path | None,
    voice: str | Path | Voice,
    report: Report,
    force: bool,
) -> Path:
    """Before and after, with players and spectrograms, as one HTML file."""
    from antiphon.metrics.plots.sheet import spectrogram_panels
    from antiphon.verbs.page import Chapter, Figure, Group, html_page

    if removed is not None:
        raise AntiphonError("a page shows what was removed: leave --removed out")
    check_place(target, force=force)
    sound, rate = read_audio(path, mono=False, sample_rate=(header := probe(path)).sample_rate), header.sample_rate
    faults = _heard([sound], rate)
    wanted = chosen(what, faults)
    report.say(f"{path.name}: {faults.words}{_instead(what, wanted, faults)}")
    job = _Job(faults, wanted, rate, header.channels, strength, voice)
    with report.bar(f"repairing {path.name}") as advance:
        made = np.concatenate(list(job(_counted(_cut(sound), len(sound), advance))))
    mono = [resample(x.mean(1), r, SAMPLE_RATE) for x, r in ((sound, rate), (made, job.rate))]
    both = _both(*mono)
    sounds = [both.before, both.after, both.taken]
    panels = spectrogram_panels(sounds, width=400)
    figures = [Figure(*each) for each in zip(both.titles, sounds, panels, strict=True)]
    text = f"Heard in {path.name}: {faults.words}. Repaired: {', '.join(wanted) or 'nothing'}."
    group = Group(figures, remark=f"from {both.start:.0f} s on" if both.start else "")
    with in_folder(target.parent), atomic(target) as draft:
        draft.write_text(html_page("Before and after", text, [Chapter(path.name, "", [group])]), encoding="utf-8")
    return target


def _cut(sound: np.ndarray) -> Iterator[np.ndarray]:
    return (sound[start : start + BLOCK] for start in range(0, len(sound), BLOCK))
