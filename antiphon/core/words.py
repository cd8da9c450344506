"""Words for numbers."""


def counted(number: int, thing: str) -> str:
    """ "1 note", "2 notes"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
