"""The errors a user can cause and mend."""


class ConfiguralError(ValueError):
    """Something the user gave cannot be used; the message is one line naming the culprit and the cure."""


class PortraitError(ConfiguralError):
    """One portrait cannot become an exemplar; the rest of its source may still be usable."""


class PortraitSkippedWarning(UserWarning):
    """A portrait was left out of a face library; the message names it and says why."""
