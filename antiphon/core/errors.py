"""The one exception that users are meant to read."""


class AntiphonError(Exception):
    """Something the user can fix. The message is one line and says what to do; the command line exits with 2.
    Unprintable characters (a file's name may contain line breaks) become blanks."""

    def __init__(self, text: str):
        super().__init__("".join(c if c.isprintable() else " " for c in text))
