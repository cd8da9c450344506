"""The one exception a person is meant to read."""


class AntiphonError(Exception):
    """Something the user can mend. The message is one line and says what to do; the command line exits with 2.
    What of it cannot be printed (a name may have line breaks) becomes blanks."""

    def __init__(self, text: str):
        super().__init__("".join(c if c.isprintable() else " " for c in text))
