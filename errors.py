"""The one exception that Veilleur raises for what a user can mend."""


class VeilleurError(Exception):
    """Bad input, a broken bundle or a missing extra; the message is one sentence that says what to do."""
