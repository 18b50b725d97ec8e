"""Why no value can be made for a schema."""


class UnsupportedSchemaError(Exception):
    """The schema cannot be met: it is malformed, contradictory, or uses an unsupported keyword; see the message."""


class EndlessSchemaError(UnsupportedSchemaError):
    """The schema needs itself to be met, so that no finite value has been found on this way."""


class OversizedSchemaError(Exception):
    """The schema is nested too deeply, or its smallest value is too large; no other way is tried."""
