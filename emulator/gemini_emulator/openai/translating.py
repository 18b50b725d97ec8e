"""OpenAI's chat request as a GenerateContentRequest: messages, pictures and sound as data, functions, options.

Options without a counterpart are ignored, as Google documents; malformed requests are refused.
"""

import re
from collections.abc import Mapping, Sequence

from gemini_emulator.failures import invalid
from gemini_emulator.proto.blobs import lift

Json = dict[str, object]
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_ROLES = {"user": "user", "assistant": "model", "tool": "user", "function": "user"}
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "topP",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})
_CHOICES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def generate_request(chat: Mapping[str, object]) -> Json:
    """Translate a chat request, its media decoded. Raises ApiFailureError for an invalid request."""
    messages = _objects(chat.get("messages"), "messages")
    if not messages:
        raise invalid("messages: must not be empty.")
    system = [part for each in messages if each.get("role") in {"system", "developer"} for part in _parts(each)]
    turns = [
        {"role": _role(each), "parts": _parts(each)}
        for each in messages
        if each.get("role") not in {"system", "developer"}
    ]
    request: Json = {"contents": turns, "generationConfig": _options(chat)}
    extras = _extras(chat)
    if extras.get("cached_content") is not None:
        request["cachedContent"] = extras["cached_content"]
    if system:
        request["systemInstruction"] = {"parts": system}
    declared = [_mapping(tool.get("function")) for tool in _objects(chat.get("tools") or [], "tools")]
    if declared:
        request["tools"] = [{"functionDeclarations": [_declaration(one) for one in declared]}]
        choice = chat.get("tool_choice", "auto")
        mode = "ANY" if isinstance(choice, dict) else _CHOICES.get(str(choice), "AUTO")
        request["toolConfig"] = {"functionCallingConfig": {"mode": mode}}
    lift(request)
    return request


def _options(chat: Mapping[str, object]) -> Json:
    options: Json = {ours: value for theirs, ours in _OPTIONS.items() if (value := chat.get(theirs)) is not None}
    effort = chat.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise invalid(f"reasoning_effort: must be one of {', '.join(sorted(_EFFORTS))}.")
    thinking = _extras(chat).get("thinking_config")
    if thinking is not None and effort is not None:
        raise invalid("reasoning_effort and extra_body.google.thinking_config must not be set together.")
    if thinking is not None:
        options["thinkingConfig"] = thinking
    stop = chat.get("stop")
    if stop:
        options["stopSequences"] = [stop] if isinstance(stop, str) else stop
    form = _mapping(chat.get("response_format"))
    if form.get("type") == "json_object":
        options["responseMimeType"] = "application/json"
    elif form.get("type") == "json_schema":
        schema = _mapping(form.get("json_schema")).get("schema")
        options |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return options


def _extras(chat: Mapping[str, object]) -> Mapping[str, object]:
    """Return Google's own options, which OpenAI's clients send as `extra_body.google`."""
    return _mapping(_mapping(chat.get("extra_body")).get("google"))


def _declaration(function: Mapping[str, object]) -> Json:
    declared: Json = {"name": function.get("name"), "description": str(function.get("description", ""))}
    if function.get("parameters") is not None:
        declared["parametersJsonSchema"] = function["parameters"]
    return declared


def _role(message: Mapping[str, object]) -> str:
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise invalid(f"messages: the role {str(message.get('role'))[:20]!r} is not known.")
    return role


def _parts(message: Mapping[str, object]) -> list[Json]:
    content = message.get("content")
    if message.get("role") == "tool":
        name = str(message.get("name") or message.get("tool_call_id") or "")
        return [{"functionResponse": {"name": name, "response": {"result": content}}}]
    parts: list[Json] = []
    if isinstance(content, str):
        parts.append({"text": content})
    elif isinstance(content, list):
        parts += [_part(each) for each in _objects(content, "content")]
    calls = [_mapping(call.get("function")) for call in _objects(message.get("tool_calls") or [], "tool_calls")]
    parts += [{"functionCall": {"name": call.get("name"), "args": {}}} for call in calls]
    if not parts:
        raise invalid("messages: a message has neither content nor tool calls.")
    return parts


def _part(content: Mapping[str, object]) -> Json:
    match content.get("type"):
        case "text":
            return {"text": str(content.get("text", ""))}
        case "image_url":
            picture = content.get("image_url")
            return _picture(str(_mapping(picture).get("url") if isinstance(picture, dict) else picture))
        case "input_audio":
            sound = _mapping(content.get("input_audio"))
            return {"inlineData": {"mimeType": f"audio/{sound.get('format')}", "data": sound.get("data")}}
        case kind:
            raise invalid(f"messages: content of type {str(kind)[:30]!r} is not known.")


def _picture(url: str) -> Json:
    data = _DATA.fullmatch(url)
    if data is not None:
        return {"inlineData": {"mimeType": data[1], "data": data[2]}}
    return {"fileData": {"fileUri": url, "mimeType": "image/png"}}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _objects(value: object, name: str) -> Sequence[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise invalid(f"{name}: must be a list of objects.")
    return value
