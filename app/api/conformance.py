"""Whether the model's text is JSON of the client's schema.

The schema is a stranger's: its patterns run on an engine without backtracking, and its references are never fetched.
"""

from collections.abc import Mapping

import jsonschema_rs
import orjson

from app.api.bounds import check_depth
from app.errors import FieldError, InvalidFieldError

REGEX_BYTES = 65_536
"""What one compiled pattern may take; a larger one would hold everything up while it is compiled."""


class Conformance:
    """A response schema, ready to judge answers."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        """Compile the schema; raises InvalidFieldError when it is none."""
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES)
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            message = f"is not a JSON Schema: {str(error).splitlines()[0][:200]}"
            raise InvalidFieldError(
                f"response_schema {message}.", errors=(FieldError("response_schema", message),)
            ) from None

    def parsed(self, text: str) -> object | None:
        """Give the text as JSON when it is whole, conforms, and can be written again; else None."""
        try:
            value: object = orjson.loads(text)
            check_depth(value)
        except ValueError:
            return None
        return value if self._validator.is_valid(value) else None
