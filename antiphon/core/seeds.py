"""A seed is a number, or a name that stands for one."""

from __future__ import annotations

import zlib

from antiphon.core.errors import AntiphonError


def check_seed(seed: int | str) -> int:
    """The number of a seed: itself, or the number a name stands for, the same everywhere and always.

    Raises AntiphonError for a number outside 0 <= seed < 2^31 and for an empty name."""
    text = str(seed).strip()
    try:
        number = int(text)
    except ValueError:
        if not text:
            raise AntiphonError("the seed is empty: use a number or a name, such as 3 or blue") from None
        return zlib.crc32(text.encode("utf-8", "surrogateescape")) >> 2  # leaves room to count up from it
    if not 0 <= number < 1 << 31:
        raise AntiphonError(f"seed {number} is out of range: use 0 to {(1 << 31) - 1}, or a name")
    return number
