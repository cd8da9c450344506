"""From a user's name for an instrument to a label that a voice knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling import gm


def resolve_instrument(name: str | int | None, labels: Sequence[str], seed: int = 0) -> str:
    """The label meant by `name`, tried in this order: a label, an unambiguous beginning or part of one, a General
    MIDI name, alias or number (0-127), a General MIDI family. If the voice lacks the program, its family's nearest
    program stands in. None draws a label at random by `seed`. Case does not matter.

    Raises AntiphonError, with close matches, if nothing matches or an abbreviation matches several.
    """
    if name is None:
        return labels[seed % len(labels)]
    if isinstance(name, int) or re.fullmatch(r"\s*[0-9]{1,9}\s*", name):
        return _by_program(int(name), labels)
    wanted = str(name).strip().lower()
    lower = {label.lower(): label for label in labels}
    if wanted in lower:
        return lower[wanted]
    families = {f.lower(): f for f in gm.FAMILIES}
    if wanted in families:
        return _in_family(families[wanted], labels, seed)
    try:
        return _by_program(gm.program_of(wanted), labels)
    except AntiphonError:
        pass
    hits = [v for k, v in lower.items() if k.startswith(wanted)] or [v for k, v in lower.items() if wanted in k]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise AntiphonError(f"instrument '{name}' could be {', '.join(sorted(hits)[:8])}: be more specific")
    known = list(dict.fromkeys([*lower, *families, *gm.PROGRAMS]))
    near = difflib.get_close_matches(wanted, known, 4, 0.5) or sorted(lower)[:6]
    raise AntiphonError(f"no instrument named '{name}': did you mean {', '.join(near)}? `antiphon info` lists them all")


def _by_program(program: int, labels: Sequence[str]) -> str:
    if not 0 <= program <= 127:
        raise AntiphonError(f"{program} is not a General MIDI program: use 0 to 127 (printed lists count from 1)")
    lower = {label.lower(): label for label in labels}
    if gm.PROGRAMS[program] in lower:
        return lower[gm.PROGRAMS[program]]
    known = [p for p, name in enumerate(gm.PROGRAMS) if name in lower]
    if not known:
        return labels[program % len(labels)]
    family = [p for p in known if gm.family_of(p) == gm.family_of(program)]
    return lower[gm.PROGRAMS[min(family or known, key=lambda p: abs(p - program))]]


def _in_family(family: str, labels: Sequence[str], seed: int) -> str:
    members = [label for label in labels if label.lower() in gm.programs_of(family)]
    if not members:
        raise AntiphonError(f"no instrument of this voice is of the family '{family}': `antiphon info` lists all")
    return members[seed % len(members)]
