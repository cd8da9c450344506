"""What the recipes of sounds share: a folder of recordings, which data/prepare.py measures and writes into one file,
which data/prepared.py opens."""

from __future__ import annotations

from abc import ABC
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from antiphon.audio.files import SUFFIXES
from antiphon.core.run_files import REFUSED
from antiphon.core.words import counted
from antiphon.data.prepared import Prepared
from antiphon.recipes.misfits import check_sort, misfits
from antiphon.training.recipe import Recipe, Reporter
from antiphon.voices.voice import VoiceInfo

if TYPE_CHECKING:
    import numpy as np

    from antiphon.data.labelling.row import Manifest, Refused
    from antiphon.data.prepare import Report

NAMED = 3  # refused files that are shown


class SoundsRecipe(Recipe[Prepared], ABC):
    """A recipe that learns from notes, hits or other sounds."""

    suffixes: ClassVar = frozenset({*SUFFIXES, ".csv", ".json"})
    one_shots: ClassVar[bool] = False  # whether it learns from hits [data/labelling/hits.py] and not from notes

    @property
    def needs_pitch(self) -> str:
        """Whether it needs to know the sounds' pitch: a word of UNHEARD in data/labelling/manifest.py."""
        return "yes"

    def prepare(
        self,
        source: Path,
        target: Path,
        report: Reporter,
        *,
        workers: int = 1,
        licence: str = "",
        label: str = "",
        mend: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """As of every recipe. mend: changes each sound, (samples,) float32, before it is measured."""
        from antiphon.data.labelling.manifest import scan
        from antiphon.data.prepare import prepare

        with report.bar("reading") as advance:
            manifest = scan(source, one_shots=self.one_shots, pitch=self.needs_pitch, progress=advance)
        manifest = manifest.called(label)
        check_sort(manifest)
        for remark in manifest.remarks:
            report.say(f"note: {remark}")
        how = {"workers": workers, "licence": licence, "sources": [source.name], "mend": mend}
        with report.bar("measuring") as advance:
            done = prepare(manifest, target, progress=advance, force=True, **how)  # type: ignore[arg-type]
        _say_what_was_found(manifest, done, report)
        write_refused(done.refused, source, target.with_name(REFUSED), report)

    def open(self, path: Path) -> Prepared:
        return Prepared(path)

    def misfits(self, data: Prepared) -> list[str]:
        return misfits(data, getattr(self, "samples", 0))

    def describe(self, data: Prepared, name: str) -> VoiceInfo:
        return describe(data, name)


def describe(data: Prepared, name: str) -> VoiceInfo:
    """What a voice learned from a data set will say about itself: styles, trained ranges, licence and sources."""
    styles: dict[str, Counter[tuple[str, ...]]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    chosen = data.where("train").tolist()
    for i in chosen:
        label = data.labels.instruments[int(data.instrument[i])]
        words = tuple(word for word, hot in zip(data.labels.styles, data.style[i].tolist(), strict=True) if hot)
        styles.setdefault(label, Counter())[words] += 1
        pitch = float(data.pitch[i])
        low, high = ranges.get(label, (pitch, pitch))
        ranges[label] = (min(low, pitch), max(high, pitch))
    met = {label: sorted(counter.items()) for label, counter in styles.items()}
    extra = data.labels.extra
    return VoiceInfo(
        name=name,
        styles_of=met,
        range_of=ranges,
        training={"notes": len(chosen)},
        licence=str(extra.get("licence") or "unknown"),
        sources=tuple(str(s) for s in extra.get("sources", ())),
    )


def is_repaired(data: object) -> bool:
    """Whether these are sounds that were mended before they were measured."""
    from antiphon.data.prepare import REPAIRED

    return isinstance(data, Prepared) and bool(data.labels.extra.get(REPAIRED))


def _say_what_was_found(manifest: Manifest, done: Report, report: Reporter) -> None:
    from antiphon.data.labelling.row import PITCHLESS

    names = len({row.instrument for row in manifest.rows})
    sound, kind = ("note", "instrument") if manifest.pitched else ("sound", "kind")
    many = f"{counted(done.notes, sound)} of {counted(names, kind)}"
    report.say(f"learning from {many} ({done.seconds / 60:.1f} minutes of sound)")
    if len(done.refused) > done.notes:
        lost = sum(item.reason == PITCHLESS for item in done.refused)
        hint = f" (the pitch of {lost} is unknown; --recipe wavegan and drums do not need it)" if lost else ""
        report.say(f"note: more files were refused than are learned from{hint}: check that this is what you want")


def write_refused(refused: Sequence[Refused], source: Path, target: Path, report: Reporter) -> None:
    """List what was left out, with its reason, in a file, and tell about the first few."""
    if not refused:
        return
    lines = [f"{r.path.relative_to(source) if r.path.is_relative_to(source) else r.path}: {r.reason}" for r in refused]
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    report.say(f"{len(lines)} files were refused; {target} lists them all:")
    for line in lines[:NAMED]:
        report.say(f"  {line}")
