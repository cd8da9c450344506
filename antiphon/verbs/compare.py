"""Which voice is better? Judges several on the same notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from antiphon.core.keywords import renamed
from antiphon.verbs.evaluate import How, from_file_to_file


@renamed(label="as_")
def compare(
    voices: Sequence[str | Path | Any],
    data: str | Path,
    out: str | Path = "comparison.html",
    *,
    force: bool = False,
    quiet: bool = False,
    **how: Unpack[How],
) -> dict[str, Any]:
    """Judge several voices by the same real notes; like `evaluate`, with rows named "voice: row". -> the figures, which
    are also written to the page `out` and the .json beside it.

    voices: each as in `evaluate`; a folder of sounds, such as another program's, is compared as a distribution, because
    its sounds correspond to no notes. Rows whose intervals do not overlap differ."""
    return from_file_to_file(voices, data, out, force=force, quiet=quiet, **how)
