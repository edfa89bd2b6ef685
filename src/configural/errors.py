"""The errors a user can cause and mend."""

_LONGEST = 600
"""Characters of a message: what a file holds may be quoted in it."""


def one_line(text: str) -> str:
    r"""A message without line breaks and signs that a terminal obeys; of a long one, the middle is left out.

    Example:
        >>> one_line("a\nb\x1b[2J")
        'a b�[2J'
    """
    shown = "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 103]} … {shown[-100:]}"


class ConfiguralError(ValueError):
    """Something the user gave cannot be used; the message is one line naming the culprit and the cure."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class PortraitError(ConfiguralError):
    """One portrait cannot become an exemplar; the rest of its source may still be usable."""


class ConfiguralWarning(UserWarning):
    """Something continues otherwise than the user may think; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class UnlockedWarning(ConfiguralWarning):
    """A folder could not be kept from other processes; the message names it and says why."""


class PortraitSkippedWarning(ConfiguralWarning):
    """A portrait was left out of a face library; the message names it and says why."""


def first_line(error: BaseException) -> str:
    r"""What an error of another package says, on one line of at most 200 characters.

    Example:
        >>> first_line(ValueError("  no such layer\nTraceback ..."))
        'no such layer'
    """
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:200]
