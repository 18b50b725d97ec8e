"""An interaction's request as the generateContent request that it means, both parsed."""

from collections.abc import Mapping, Sequence

from gemini_emulator.failures import invalid
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.parser import parse
from gemini_emulator.proto.stored import FUNCTION_TOOL

_SAME_OPTIONS = ("temperature", "topP", "seed", "stopSequences", "maxOutputTokens")
_TOOLS = frozenset(
    {
        "function",
        "google_search",
        "code_execution",
        "url_context",
        "file_search",
        "google_maps",
        "computer_use",
        "mcp_server",
        "retrieval",
        "tool_search",
    }
)
_CHOICES = frozenset({"auto", "any", "none", "validated"})


def request_of(asked: Fields, turns: Sequence[Mapping[str, object]]) -> Fields:
    """Return an interaction as a generateContent message. Raises ApiFailureError if the Interactions API refuses it."""
    request: dict[str, object] = {"contents": list(turns), "generationConfig": _config_of(asked)}
    if "systemInstruction" in asked:
        request["systemInstruction"] = {"parts": [{"text": asked.text("systemInstruction")}]}
    declared = [one for tool in asked.many("tools") if (one := _declaration(tool)) is not None]
    if declared:
        request["tools"] = [{"functionDeclarations": declared}]
        request["toolConfig"] = {"functionCallingConfig": _choice(asked.fields("generationConfig"))}
    if "cachedContent" in asked:
        request["cachedContent"] = asked.text("cachedContent")
    return Fields(request)


def _config_of(asked: Fields) -> dict[str, object]:
    given = asked.fields("generationConfig")
    config = {name: given.value(name) for name in _SAME_OPTIONS if name in given}
    if given.text("thinkingSummaries") == "auto":
        config["thinkingConfig"] = {"includeThoughts": True}
    formats = asked.value("responseFormat")
    for one in formats if isinstance(formats, list) else [formats] if formats is not None else []:
        config |= _format_of(one)
    return config


def _format_of(one: object) -> dict[str, object]:
    if not isinstance(one, dict) or one.get("type") != "text":
        raise invalid("response_format: the emulator answers with text only.")
    unknown = set(one) - {"type", "mime_type", "mimeType", "schema"}
    if unknown:
        raise invalid(f"response_format: unknown fields {', '.join(sorted(unknown))}.")
    schema = one.get("schema")
    mime_type = one.get("mime_type", one.get("mimeType", "application/json" if schema is not None else "text/plain"))
    config: dict[str, object] = {"responseMimeType": mime_type}
    if schema is not None:
        config["responseJsonSchema"] = schema
    return config


def _declaration(tool: Fields) -> dict[str, object] | None:
    kind = tool.text("type")
    if kind not in _TOOLS:
        raise invalid(f"tools: there is no tool of type {kind!r}.")
    if kind != "function":
        return None
    function = Fields(parse(FUNCTION_TOOL, {name: tool.value(name) for name in tool}))
    declared: dict[str, object] = {"name": function.text("name"), "description": function.text("description")}
    parameters = function.mapping("parameters")
    return declared if parameters is None else {**declared, "parametersJsonSchema": parameters}


def _choice(config: Fields) -> dict[str, object]:
    given = config.value("toolChoice")
    names: list[str] = []
    if isinstance(given, dict):
        allowed = Fields(given.get("allowed_tools", given.get("allowedTools")))
        given, names = allowed.text("mode") or "auto", allowed.texts("tools")
    if given is None:
        given = "auto"
    if not isinstance(given, str) or given not in _CHOICES:
        raise invalid(f"generation_config.tool_choice: must be one of {', '.join(sorted(_CHOICES))}.")
    return {"mode": given.upper(), "allowedFunctionNames": names}
