"""The verbs that judge, as the command line has them: `antiphon evaluate` and `antiphon compare`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from antiphon.cli.options import Flag, Spoken, opt, show


@dataclass(frozen=True, kw_only=True)
class _Judging(Spoken):
    """The options of both."""

    n: Annotated[int | None, opt("N", "-n")] = None
    """how many notes to compare, at most (default: 2000, or 300 with --quick)"""
    split: Annotated[Literal["block", "preset", "valid", "train"] | None, opt("block|preset|valid|train")] = None
    """which notes: held-out octaves, presets or single ones, or training notes (default: the first with enough)"""
    embeddings: Annotated[tuple[str, ...], opt("NAME ...")] = ()
    """embeddings to compare in: aisfx, musicnn, mel (default: those installed)"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the notes' instrument when voices are asked for it, such as alto sax"""
    quick: Flag = False
    """fewer notes and one network: good for ranking only"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "1"
    """random seed of the choice of notes"""
    cache: Annotated[Path | None, opt("FOLDER")] = None
    """where to keep networks' weights and measurements of real notes"""
    threads: Annotated[int | None, opt("N")] = None
    """processors to use (default: all)"""
    force: Flag = False
    """replace files that exist"""


@dataclass(frozen=True)
class Evaluate(_Judging):
    """Judge a voice by real notes: distances, variety, pitch, likeness, copying; as tables, JSON and a page to hear.

    Example: antiphon evaluate runs/mine my-notes -o mine.html
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder, a weights file, or a folder of sounds"""
    data: Annotated[Positional[Path], arg(metavar="DATA")]
    """the real notes: a prepared file, a run folder or a folder of notes"""
    out: Annotated[Path, arg(metavar="PAGE.html", aliases=["-o"])] = Path("evaluation.html")
    """the page of tables, sounds and pictures; the figures are written beside it, as .json"""

    def run(self) -> None:
        from antiphon.verbs.evaluate import evaluate

        _finish(evaluate(**_how(self)), self.out)


@dataclass(frozen=True)
class Compare(_Judging):
    """Judge several voices by the same real notes, side by side.

    Example: antiphon compare gm runs/mine other-sounds --data my-notes -o both.html
    """

    voices: Annotated[Positional[tuple[str, ...]], opt("V ...")]
    """bundled voices, run folders, weights files, or folders of sounds"""
    data: Annotated[Path, arg(metavar="DATA")]
    """the real notes: a prepared file, a run folder or a folder of notes"""
    out: Annotated[Path, arg(metavar="PAGE.html", aliases=["-o"])] = Path("comparison.html")
    """the page of tables, sounds and pictures; the figures are written beside it, as .json"""

    def run(self) -> None:
        from antiphon.verbs.compare import compare

        _finish(compare(**_how(self)), self.out)


def _how(asked: Evaluate | Compare) -> dict[str, Any]:
    return {name: value for name, value in asdict(asked).items() if name != "verbose"}


def _finish(figures: dict[str, Any], out: Path) -> None:
    from antiphon.metrics.tables import grids, rich_table

    for grid in grids(figures):
        show(rich_table(grid))
    print(out)
