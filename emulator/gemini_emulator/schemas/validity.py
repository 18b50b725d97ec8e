"""Whether a value satisfies a schema, asked of a real validator. Fetches nothing, and bounds regular expressions."""

import jsonschema_rs

from gemini_emulator.schemas.conjunction import Schema
from gemini_emulator.schemas.errors import UnsupportedSchemaError

_BACKTRACKS = 10_000


def is_valid(schema: Schema, value: object) -> bool:
    """Return whether a value satisfies a schema, formats included.

    Raises:
        UnsupportedSchemaError: when the schema is malformed, or refers to other documents.

    """
    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS)
    try:
        validator = jsonschema_rs.validator_for(
            dict(schema), validate_formats=True, offline=True, pattern_options=options
        )
        return validator.is_valid(value)
    except ValueError as error:
        raise UnsupportedSchemaError(f"malformed schema: {str(error).splitlines()[0]}") from error
