"""Function calling: chooses the declared function that an answer calls, and its arguments.

A prompt that ends in function responses is answered by a text. Before that, mode ANY always calls, and AUTO (and
VALIDATED) calls when the last turn names a function, or a word of four letters or more of its name: "what is the
weather like" calls `get_weather`. The first function that fits is called, once; its arguments satisfy its parameters.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from gemini_emulator.conforming import UnsupportedSchemaError, conforming_value
from gemini_emulator.failures import invalid
from gemini_emulator.proto.fields import Fields

_WORD = re.compile(r"[A-Za-z]{4,}")


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call that the model asks for."""

    call_id: str
    name: str
    args: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions that may be called; `must_call` in mode ANY."""

    declared: tuple[Fields, ...]
    must_call: bool

    def choose(self, text: str) -> FunctionCall | None:
        """Choose the call that a last turn's text asks for, if any; slow for large parameters.

        Raises ApiFailureError when the parameters cannot be met.
        """
        if not self.declared:
            return None
        lowered = text.lower()
        named = (one for one in self.declared if _is_named(one.text("name"), lowered))
        chosen = next(named, self.declared[0] if self.must_call else None)
        if chosen is None:
            return None
        return FunctionCall(f"call-{secrets.token_hex(8)}", chosen.text("name"), _arguments(chosen, text))


def read_functions(request: Fields) -> Functions:
    """Read tools and tool config. Raises ApiFailureError for values that Gemini refuses."""
    declared = [one for tool in request.many("tools") for one in tool.many("functionDeclarations")]
    if any(not one.text("name") for one in declared):
        raise invalid("* GenerateContentRequest.tools[0].function_declarations[0].name: must not be empty.\n")
    config = request.fields("toolConfig").fields("functionCallingConfig")
    mode = config.text("mode")
    if mode == "NONE":
        return Functions((), must_call=False)
    allowed = config.texts("allowedFunctionNames")
    unknown = set(allowed) - {one.text("name") for one in declared}
    if unknown:
        raise invalid(f"allowed_function_names names what is not declared: {', '.join(sorted(unknown))}.")
    return Functions(
        tuple(one for one in declared if not allowed or one.text("name") in allowed), must_call=mode == "ANY"
    )


def _is_named(name: str, lowered: str) -> bool:
    words = _WORD.findall(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name))
    return name.lower() in lowered or any(word.lower() in lowered for word in words)


def _arguments(declaration: Fields, text: str) -> Mapping[str, object]:
    openapi = declaration.mapping("parameters")
    schema = openapi if openapi is not None else declaration.mapping("parametersJsonSchema")
    if schema is None:
        return {}
    try:
        value = conforming_value(schema, dialect="json_schema" if openapi is None else "openapi", text=text)
    except UnsupportedSchemaError as error:
        raise invalid(f"* GenerateContentRequest.tools[0].function_declarations: {error}\n") from error
    return value if isinstance(value, dict) else {}
