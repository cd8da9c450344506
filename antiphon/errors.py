"""The one exception a person is meant to read."""


class AntiphonError(Exception):
    """Something the user can mend. The message is one line and says what to do; the command line exits with 2."""
