"""Errors: each names the thing, the value, the limit and the next step.

The class decides the exit code of the command line:
0 done, 1 bug, 2 usage, 3 configuration, 4 database, 5 data rejected, 6 query refused.
"""

from typing import ClassVar


class SkyledgerError(Exception):
    """Base of all errors a user may meet."""

    exit_code: ClassVar[int] = 1


class UsageError(SkyledgerError):
    """A command was called with words or values it does not take."""

    exit_code = 2


class ConfigurationError(SkyledgerError):
    """The installation, a setting or an instrument file is incomplete or wrong."""

    exit_code = 3


class DatabaseError(SkyledgerError):
    """The database is not there, not of our schema version, or refused a change."""

    exit_code = 4


class DataRejectedError(SkyledgerError):
    """Input data cannot be used; the message says what is wrong and where it is kept."""

    exit_code = 5


class QueryRefusedError(SkyledgerError):
    """A query is not allowed, not understood, or asks for an instant that is not there."""

    exit_code = 6


class NotFoundError(SkyledgerError):
    """What was named is not there, or not there for this person."""

    exit_code = 6


class BusyError(SkyledgerError):
    """Too much is asked at once; the same request can succeed in a moment."""

    exit_code = 4


class LimitError(SkyledgerError):
    """A request is larger than what one may ask for."""

    exit_code = 6


class UploadRefusedError(SkyledgerError):
    """A table that was sent cannot be read, is hostile, or is larger than is allowed."""

    exit_code = 5


class PeopleError(SkyledgerError):
    """Somebody may not do what was asked, or a name of a person, group or table cannot be."""

    exit_code = 6


class SignInError(SkyledgerError):
    """Who asks is not known, and has to be: no token, a wrong one, or one that is over."""

    exit_code = 6


class ForbiddenError(PeopleError):
    """Who asks is known and may not do this."""

    exit_code = 6


class TooManyError(SkyledgerError):
    """Somebody asks more at once, or in a minute, than is allotted to him.

    Parameters
    ----------
    message : str
        What was asked, the limit and the next step.
    seconds : int
        Time after which the same request can succeed [s].
    """

    exit_code = 6

    def __init__(self, message: str, seconds: int = 1) -> None:
        super().__init__(message)
        self.seconds = seconds


class ConflictError(PeopleError):
    """What is to be made is there already."""

    exit_code = 6
