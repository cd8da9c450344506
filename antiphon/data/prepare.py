"""From a folder of notes to one prepared file: every note is read, cut to its sounding part, analysed and packed.

Two passes: the first (parallel) analyses and spools the notes to a temporary file; the second knows each preset's gain
and writes the prepared file. Memory stays bounded by the tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.files import check_place
from antiphon.audio.ops import to_mono
from antiphon.core.atomic import in_folder, nameless
from antiphon.core.errors import AntiphonError
from antiphon.core.parallel import started_pool
from antiphon.core.units import SAMPLE_RATE, midi_to_hz
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.labelling import hits
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import EXTRA, PITCHLESS, Manifest, Refused, Row
from antiphon.data.prepared import LAYOUT, Labels, write_prepared

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TARGET_DB = -20.0  # loudness of a preset's 90th-percentile note
PEAK = 32600 / 32768  # the largest sample allowed
LONGEST = 20.0  # seconds kept of a note
MANY = 500  # sounds that are worth more processes: starting one costs as much as measuring a hundred
REPAIRED = "repaired"  # the fact, among a prepared file's labels, that its sounds were mended
SILENCE_DB = -70.0  # a note whose peak is below this is refused
FAINTEST_DB = (
    -62.0
)  # and so is one whose loudness is below this after its preset's gain: 16-bit quantisation would show


@dataclass
class Report:
    """What `prepare` did."""

    path: Path
    notes: int = 0
    seconds: float = 0.0
    refused: list[Refused] = field(default_factory=list)


@dataclass
class Measured:
    """One measured note: int16 audio of full scale, the factor that undoes the scaling, and its row of every table."""

    audio: np.ndarray
    scale: float
    row: dict[str, Any]


Kept = list[tuple[Row, Measured]]


def measure(audio: np.ndarray, pitch: float, hold_seconds: float | None = None) -> Measured:
    """Cuts one recording (samples,) to its note and measures it. Raises ValueError, with the reason, if unusable."""
    audio = analysis.without_dc(_sounding(audio))
    onset = analysis.find_onset(audio)
    hint = None if hold_seconds is None else max(round(hold_seconds * SAMPLE_RATE) - onset, 1)
    audio = analysis.cut_and_fade_tail(audio[onset:])
    if len(audio) < SAMPLE_RATE // 50:
        raise ValueError("shorter than 20 ms")
    hold = analysis.find_release(audio, hint)
    cents, tuning = analysis.measure_f0(audio, pitch)
    if not analysis.plausible_pitch(audio, pitch):
        raise ValueError(f"nothing sounds near its pitch, MIDI {pitch:g}")
    hz = midi_to_hz(pitch) * 2 ** (cents.astype(np.float64) / 1200)
    partials = analysis.measure_partials(audio, hz)
    held = cents[: hold // analysis.FRAME + 1] if hold > 0 else cents
    vibrato = analysis.measure_vibrato(held)
    row = {
        "pitch": pitch,
        "tuning": tuning,
        "cents": cents.astype(np.float16),
        "hold": hold,
        "ratios": partials.ratios,
        "harmonic_level": partials.harmonic_level,
        "inharmonicity": partials.inharmonicity,
        "free_ratio": partials.free_ratio,
        "free_level": partials.free_level,
        "vibrato": np.array(vibrato, np.float32),
        "descriptors": analysis.descriptors(audio, hz, hold, vibrato),
        "loudness": analysis.loudness(audio),
    }
    return _packed(audio, row)


def measure_one_shot(audio: np.ndarray) -> Measured:
    """`measure` for one hit."""
    return _packed(*hits.measure_hit(_sounding(audio)))


def measure_sound(audio: np.ndarray) -> Measured:
    """`measure` for a sound without a known pitch."""
    return _packed(*hits.measure_unpitched(_sounding(audio)))


def _sounding(audio: np.ndarray) -> np.ndarray:
    audio = np.asarray(audio, np.float32)
    if float(np.abs(audio).max(initial=0)) < 10 ** (SILENCE_DB / 20):
        raise ValueError("silent")
    return audio


def _packed(audio: np.ndarray, row: dict[str, Any]) -> Measured:
    scale = float(np.abs(audio).max()) / 32767
    return Measured(np.round(audio / scale).astype(np.int16), scale, row)


Mend = Callable[[np.ndarray], np.ndarray]


def _work(job: tuple[str, float | None, float | None, str, str | None, Mend | None]) -> Measured | str:
    """One row in a worker: the measured note, or the reason why there is none."""
    from antiphon.audio.files import read_audio

    path, pitch, hold_seconds, sort, right, mend = job
    if pitch is None or not 0 <= pitch <= 127:
        return "its pitch is unknown" if pitch is None else f"its pitch, MIDI {pitch:g}, is out of range"
    try:
        audio = read_audio(path, mono=True, sample_rate=SAMPLE_RATE, max_seconds=LONGEST)
        if right is not None:
            other = read_audio(right, mono=True, sample_rate=SAMPLE_RATE, max_seconds=LONGEST)
            audio = to_mono(np.stack([part[: min(len(audio), len(other))] for part in (audio, other)], 1))
        audio = mend(audio) if mend else audio
        if sort == "note":
            return measure(audio, pitch, hold_seconds)
        return measure_one_shot(audio) if sort == "hit" else measure_sound(audio)
    except (AntiphonError, ValueError) as error:
        return str(error)


def _results(jobs: Sequence[tuple], workers: int) -> Generator[Measured | str, None, None]:
    """Measures every job in order, in this process or, where there are many, in a pool of single-threaded ones."""
    if workers <= 1 or len(jobs) < MANY:
        yield from map(_work, jobs)
        return
    with _single_threaded(), started_pool(workers) as pool:
        for at in range(0, len(jobs), 512):  # bounded: results wait in memory until they are consumed
            yield from pool.map(_work, jobs[at : at + 512], chunksize=8)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes spawned during the block use one thread each, unless the user has set otherwise."""
    ours = {name: "1" for name in _THREADS if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def prepare(
    source: str | Path | Manifest,
    out_path: str | Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    licence: str = "",
    sources: Sequence[str] = (),
    force: bool = False,
    mend: Mend | None = None,
) -> Report:
    """Measures every note of a folder (or of a manifest of one) into the prepared file `out_path`.

    progress(done, total) is called after every note. `licence` and `sources` are stored in the metadata. workers:
    processes to use for a large folder. mend: changes each sound, (samples,) float32, after it is read. Raises
    AntiphonError when nothing usable is found or, without force, when `out_path` exists.
    """
    out_path = Path(out_path)
    check_place(out_path, force=force)
    manifest = source if isinstance(source, Manifest) else scan(source)
    rows = manifest.rows
    report = Report(out_path, refused=list(manifest.refused))
    kept: Kept = []
    sort = "hit" if manifest.one_shots else "note" if manifest.pitched else "sound"
    jobs = [
        (str(row.path), row.pitch, row.hold_seconds, sort, str(row.right) if row.right else None, mend) for row in rows
    ]
    with _spooling(out_path) as spool, closing(_results(jobs, workers)) as results:
        for done, (row, result) in enumerate(zip(rows, results, strict=True), 1):
            if isinstance(result, str):
                report.refused.append(Refused(row.path, result))
            else:
                result.row |= {"samples": len(result.audio), "spooled": spool.tell()}
                spool.write(result.audio.tobytes())
                result.audio = result.audio[:0]
                kept.append((row, result))
            if progress:
                progress(done, len(rows))
        if not kept:
            why = f": the first was refused because {report.refused[0].reason}" if report.refused else ""
            other = "; --recipe drums and wavegan need no pitch" if _all_pitchless(report.refused) else ""
            raise AntiphonError(f"no usable notes found{why}{other}; `antiphon data inspect` lists every file")
        gains = _gains(kept)
        loud = [m.row["loudness"] + 20 * np.log10(gains[_key(row)]) for row, m in kept]
        faint = [row for (row, _), db in zip(kept, loud, strict=True) if db < FAINTEST_DB]
        report.refused += [Refused(row.path, "too faint compared with the rest of its preset") for row in faint]
        kept = [pair for pair, db in zip(kept, loud, strict=True) if db >= FAINTEST_DB]
        said: dict[str, Any] = {"licence": licence, "sources": list(sources)}
        said |= {REPAIRED: True} if mend else {}
        said |= {"hit": {"one_shots": True}, "sound": {"unpitched": True}}.get(sort, {})
        labels, tables = _tabulate(kept, gains, said)
        write_prepared(out_path, labels, tables, _scaled(spool, kept, gains))
    report.notes, report.seconds = len(kept), float(tables["start"][-1]) / SAMPLE_RATE
    return report


def _all_pitchless(refused: Sequence[Refused]) -> bool:
    return all(item.reason == PITCHLESS for item in refused) and bool(refused)


@contextmanager
def _spooling(out_path: Path) -> Iterator[Any]:
    """A temporary file beside `out_path`; a full disk becomes an error of one line."""
    try:
        with in_folder(out_path.parent), nameless(out_path.parent) as spool:
            yield spool
    except OSError as error:
        raise AntiphonError(f"cannot write {out_path}: {error.strerror or error}") from None


def _scaled(spool: Any, kept: Kept, gains: dict[tuple[str, str], float]) -> Iterator[np.ndarray]:
    """The spooled notes, one at a time, at their final loudness."""
    for row, measured in kept:
        spool.seek(measured.row["spooled"])
        note = np.frombuffer(spool.read(2 * measured.row["samples"]), np.int16)
        factor = measured.scale * gains[_key(row)] * 32768
        yield np.clip(np.round(note * factor), -32768, 32767).astype(np.int16)


def _key(row: Row) -> tuple[str, str]:
    """The identity of a preset: two instruments may each have one of the same name."""
    return row.instrument, row.preset


def _gains(kept: Kept) -> dict[tuple[str, str], float]:
    """One linear gain per preset: its 90th-percentile loudness at TARGET_DB, but no sample above PEAK. Extra notes do
    not count, so that the others are the same with and without them."""
    notes: dict[tuple[str, str], list[tuple[bool, Measured]]] = {}
    for row, measured in kept:
        notes.setdefault(_key(row), []).append((row.split != EXTRA, measured))
    gains = {}
    for key, voters in notes.items():
        mine = [m for votes, m in voters if votes] or [m for _, m in voters]
        wanted = 10 ** ((TARGET_DB - np.percentile([m.row["loudness"] for m in mine], 90)) / 20)
        gains[key] = float(min(wanted, PEAK / max(m.scale * 32767 for m in mine)))
    return gains


def _tabulate(
    kept: Kept, gains: dict[tuple[str, str], float], said: dict[str, Any]
) -> tuple[Labels, dict[str, np.ndarray]]:
    """Labels, including the facts in `said`, and every table but audio."""
    instruments = sorted({row.instrument for row, _ in kept})
    presets = sorted({_key(row) for row, _ in kept})
    styles = sorted({style for row, _ in kept for style in row.style})
    splits = ["train", "valid", "block", "preset"]
    splits += sorted({row.split for row, _ in kept} - set(splits))
    preset = np.array([presets.index(_key(row)) for row, _ in kept])
    column = lambda name: np.array([m.row[name] for _, m in kept])  # noqa: E731
    style = np.zeros((len(kept), len(styles)), np.uint8)
    for i, (row, _) in enumerate(kept):
        style[i, [styles.index(name) for name in row.style]] = 1
    samples = column("samples")
    names = ("pitch", "tuning", "hold", "ratios", "harmonic_level", "inharmonicity", "free_ratio", "free_level")
    tables = {name: column(name) for name in (*names, "vibrato", "descriptors")}
    tables |= {
        "start": np.concatenate([[0], np.cumsum(samples)]),
        "frame_start": np.concatenate([[0], np.cumsum([analysis.frames_of(n) for n in samples])]),
        "cents": np.concatenate([m.row["cents"] for _, m in kept]),
        "velocity": np.array([row.velocity for row, _ in kept]),
        "loudness": column("loudness") + 20 * np.log10([gains[_key(row)] for row, _ in kept]),
        "instrument": np.array([instruments.index(row.instrument) for row, _ in kept]),
        "preset": preset,
        "split": np.array([splits.index(row.split) for row, _ in kept]),
        "style": style,
    }
    labels = Labels(
        instruments=tuple(instruments),
        presets=tuple({"name": key[1], "instrument": key[0], "gain": gains[key]} for key in presets),
        styles=tuple(styles),
        splits=tuple(splits),
        descriptors=analysis.DESCRIPTORS,
        extra=said,
    )
    if not labels.pitched:
        labels = replace(labels, descriptors=hits.DESCRIPTORS)
    return labels, tables | {name: column(name) for name in labels.layout.keys() - LAYOUT.keys()}
