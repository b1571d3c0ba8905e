"""Why the page was refused something."""

from terrashot.errors import TerrashotError


class RefusedError(TerrashotError):
    """What was asked can't be done as it was asked; nothing was changed."""


class StaleError(RefusedError):
    """Somebody else has changed the labels since the page last looked at them."""


class UnsavedError(RefusedError):
    """The labels could not be written; what was saved before is untouched."""
