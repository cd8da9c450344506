"""From a user's name for an instrument to a label that a voice knows."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Mapping, Sequence

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling import gm
from antiphon.data.labelling.drums import DRUMS, drum_of, stand_in


def resolve_instrument(name: str | int | None, labels: Sequence[str], seed: int = 0) -> str:
    """The label meant by `name`, tried in this order: a label, a General MIDI family, a General MIDI name, alias or
    number (0-127) that is among the labels, an unambiguous beginning or part of a label, a drum's name in other words,
    what stands in for a General MIDI name: the nearest program of its family, or for an instrument that General MIDI
    lacks: its relative. None draws a label at random by `seed`. Case does not matter.

    Warns where something else stands in for what was named. Raises AntiphonError, with close matches, if nothing
    matches or an abbreviation matches several.
    """
    if name is None:
        return labels[seed % len(labels)]
    if isinstance(name, int):
        return _by_program(name, labels)
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", name):
        return _told(name, _by_program(int(name), labels))
    wanted = name.strip().lower()
    lower = {label.lower(): label for label in labels}
    if wanted in lower:
        return lower[wanted]
    families = {f.lower(): f for f in gm.FAMILIES}
    if wanted in families:
        return _in_family(families[wanted], labels, seed)
    program = _program(wanted)
    if program is not None and gm.PROGRAMS[program] in lower:
        return lower[gm.PROGRAMS[program]]
    hits = [v for k, v in lower.items() if k.startswith(wanted)] or [v for k, v in lower.items() if wanted in k]
    if len(hits) == 1:
        return hits[0]
    if set(lower) <= set(DRUMS):
        if (drum := drum_of(wanted)) and (near := stand_in(drum, lower)):
            return lower[drum] if drum in lower else _told(name, lower[near])
        program = None
    elif program is None and wanted in gm.RELATIVES:
        program = gm.program_of(gm.RELATIVES[wanted])
    if program is not None:
        return _told(name, _by_program(program, labels))
    if hits:
        raise AntiphonError(f"instrument '{name}' could be {', '.join(sorted(hits)[:8])}: be more specific")
    raise AntiphonError(f"no instrument named '{name}': {_hint(wanted, lower)}")


def _program(wanted: str) -> int | None:
    """The General MIDI program of a name or alias, if it is one."""
    try:
        return gm.program_of(wanted)
    except AntiphonError:
        return None


def _told(name: str, label: str) -> str:
    """The label, with a warning if it is another instrument than the one named."""
    said = name.strip().lower()
    meant = gm.PROGRAMS[int(said)] if said.isdigit() else gm.ALIASES.get(said, said)
    if label.lower() != meant:
        warnings.warn(f"there is no {meant} here: {label} stands in for it", stacklevel=3)
    return label


def _hint(wanted: str, lower: Mapping[str, str]) -> str:
    """What may have been meant."""
    drums = set(lower) <= set(DRUMS)
    if not drums and (drum := drum_of(wanted)):
        return f"{drum} is a drum: the voice kit has it"
    if drums and (_program(wanted) is not None or wanted in gm.RELATIVES):
        return "this is a drum kit: the voice gm has instruments"
    known = list(dict.fromkeys([*lower, *([] if drums else (f.lower() for f in gm.FAMILIES)), *_in_reach(lower)]))
    near = difflib.get_close_matches(wanted, known, 4, 0.6) or sorted(lower)[:6]
    return f"did you mean {', '.join(near)}? `antiphon info VOICE` lists all that a voice knows"


def _in_reach(lower: Mapping[str, str]) -> list[str]:
    """General MIDI names and aliases of instruments that are here."""
    return [*(name for name in gm.PROGRAMS if name in lower), *(k for k, name in gm.ALIASES.items() if name in lower)]


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
        raise AntiphonError(f"no instrument of this voice is of the family '{family}': `antiphon info VOICE` lists all")
    return members[seed % len(members)]
