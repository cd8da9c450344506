"""From the name of a voice to the voice, and from a seed's name to its number: used by every verb."""

from antiphon.core.seeds import check_seed
from antiphon.voices.find import bundled, find, load, title

__all__ = ["bundled", "check_seed", "find", "load", "title"]
