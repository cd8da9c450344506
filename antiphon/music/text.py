"""Texts of MIDI files, which do not say how they are encoded: guesses the encoding from all texts of a file."""

import codecs
import unicodedata
from collections.abc import Iterable

LONGEST = 80  # characters of a name
ENOUGH = 20_000  # bytes to guess from
LEGACY = ("cp1252", "cp932", "cp1251")  # Western, Japanese (Shift-JIS), Cyrillic; the first if in doubt
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def readable(raw: bytes, legacy: str = LEGACY[0]) -> str:
    """A name as one line of printable text. legacy: its encoding if it is not Unicode."""
    text = _unicode(raw)
    if text is None:
        try:
            text = raw.decode(legacy)
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    shown = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(shown.split())[:LONGEST].rstrip()


def guess(texts: Iterable[bytes]) -> str:
    """The encoding, of LEGACY, of those texts that are not Unicode."""
    some, size = [], 0
    for raw in texts:
        if size < ENOUGH and not raw.isascii() and _unicode(raw) is None:
            some.append(raw)
            size += len(raw)
    return max(LEGACY, key=lambda encoding: sum(_likely(raw, encoding) for raw in some))


def _unicode(raw: bytes) -> str | None:
    encoding = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _likely(raw: bytes, encoding: str) -> float:
    """How plausible a text is in an encoding: about 1 for each byte beyond ASCII that makes sense in its place, -1 for
    each that does not."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return -float(len(raw))
    judge = {"cp1252": _western, "cp932": _japanese, "cp1251": _cyrillic}[encoding]
    around = f" {text} "
    return sum(judge(around[at - 1], c, around[at + 1]) for at, c in enumerate(text, 1) if not c.isascii())


def _plain(c: str) -> bool:
    return c.isascii() and c.isalpha()


def _western(before: str, c: str, after: str) -> float:
    """Accented letters stand among plain ones."""
    if not c.isalpha():
        inside = c == "’" and _plain(before) and _plain(after)
        return 1.0 if inside else 0.5 if c in "©®°’‘“”–—…«»·" else -1.0
    plain = _plain(before) or _plain(after)
    alone = before in " '-(" and after in " '-)"
    return 1.0 if plain else 0.5 if alone else -1.0


def _japanese(before: str, c: str, after: str) -> float:
    """Kana and common kanji, of two bytes each, the latter seldom beside plain letters; half-width kana, of one byte,
    come in groups."""
    if "\uff61" <= c <= "\uff9f":
        return 0.8 if any("\uff61" <= other <= "\uff9f" for other in (before, after)) else -1.0
    if "\u3000" <= c <= "\u30ff" or "\uff01" <= c <= "\uff60":
        return 3.0
    common = "\u4e00" <= c <= "\u9fff" and c.encode("cp932")[0] < 0x98
    return 2.0 - 1.5 * (_plain(before) + _plain(after)) if common else -2.0


def _cyrillic(before: str, c: str, after: str) -> float:
    """Letters of Russian and its neighbours, in groups, without capitals after small letters."""
    if not ("\u0410" <= c <= "\u044f" or c in "ЁёІіЇїЄєҐґЎў"):
        return -1.0
    letters = [other for other in (before, after) if "\u0400" <= other <= "\u04ff"]
    odd = c.isupper() and before.islower()
    return -1.0 if odd or not letters else 1.0
