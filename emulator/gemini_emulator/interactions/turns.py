"""The input of an interaction, in all its forms, as the turns of a generateContent request.

    "text" | content | [content, ...] | [step, ...]  ──>  [{"role", "parts"}, ...]

Steps of one side that follow each other are one turn. Thoughts and the steps of built-in tools are left out.
"""

from collections.abc import Mapping

from gemini_emulator.failures import invalid
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.parser import parse
from gemini_emulator.proto.stored import INTERACTION_CONTENT, INTERACTION_STEP

_MEDIA = frozenset({"image", "audio", "video", "document"})
_CONTENTS = _MEDIA | {"text"}
_RESOLUTIONS = frozenset({"low", "medium", "high", "ultra_high"})
_LEFT_OUT = ("_call", "_result")
Turn = dict[str, object]


def steps_of(given: object) -> list[object]:
    """Write an input as steps; raises ApiFailureError when it is none."""
    if isinstance(given, str):
        given = {"type": "text", "text": given}
    items = given if isinstance(given, list) else [given]
    steps: list[object] = []
    contents: list[object] = []
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise invalid("input: must be a string, a content, or a list of contents or steps, each with a type.")
        if item["type"] not in _CONTENTS:
            steps.append(item)
            continue
        if not contents or not steps or steps[-1] is not contents[-1]:
            contents.append({"type": "user_input", "content": []})
            steps.append(contents[-1])
        last = contents[-1]
        if isinstance(last, dict):
            last["content"].append(item)
    return steps


def turns_of(steps: list[object], earlier: list[Mapping[str, object]]) -> list[Turn]:
    """Return steps as turns; `earlier` are the turns before, with the names of called functions.

    Raises ApiFailureError for an invalid step.
    """
    names = _called(earlier)
    turns: list[Turn] = []
    for tree in steps:
        step = Fields(parse(INTERACTION_STEP, tree))
        role, parts = _parts_of(step, tree, names)
        if not parts:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] = [*_listed(turns[-1]["parts"]), *parts]
        else:
            turns.append({"role": role, "parts": parts})
    return turns


def _called(turns: list[Mapping[str, object]]) -> dict[str, str]:
    calls = [part.fields("functionCall") for turn in turns for part in Fields(turn).many("parts")]
    return {call.text("id"): call.text("name") for call in calls}


def _parts_of(step: Fields, tree: object, names: dict[str, str]) -> tuple[str, list[object]]:
    kind = step.text("type")
    if kind in {"user_input", "model_output"}:
        content = tree.get("content") if isinstance(tree, dict) else None
        items = content if isinstance(content, list) else [content]
        return "user" if kind == "user_input" else "model", [_part_of(item) for item in items if item is not None]
    if kind == "function_call":
        names[step.text("id")] = step.text("name")
        call = {"id": step.text("id"), "name": step.text("name"), "args": step.mapping("arguments") or {}}
        return "model", [{"functionCall": call}]
    if kind == "function_result":
        return "user", [{"functionResponse": _response_of(step, tree, names)}]
    if kind == "thought" or kind.endswith(_LEFT_OUT):
        return "model", []
    raise invalid(f"input: there is no step or content of type {kind!r}.")


def _response_of(step: Fields, tree: object, names: dict[str, str]) -> dict[str, object]:
    call_id = step.text("callId")
    name = step.text("name") or names.get(call_id, "")
    if not name:
        raise invalid(f"input: the function_result has a call_id that no function_call has: {call_id!r}.")
    result = tree.get("result") if isinstance(tree, dict) else None
    response: dict[str, object] = {"id": call_id, "name": name}
    if isinstance(result, dict):
        return response | {"response": result}
    if not isinstance(result, list):
        return response | {"response": {"result": result}}
    parts = [Fields(_part_of(item)) for item in result]
    texts = "".join(part.text("text") for part in parts)
    media = [_part_of(item) for item, part in zip(result, parts, strict=True) if "text" not in part]
    return response | {"response": {"result": texts}, "parts": media}


def _part_of(tree: object) -> dict[str, object]:
    content = Fields(parse(INTERACTION_CONTENT, tree))
    kind = content.text("type")
    if kind == "text":
        return {"text": content.text("text")}
    if kind not in _MEDIA:
        raise invalid(f"input: there is no content of type {kind!r}.")
    mime_type = content.text("mimeType")
    if ("data" in content) == ("uri" in content):
        raise invalid(f"input: exactly one of data and uri must be set in a content of type {kind}.")
    part: dict[str, object]
    if "data" in content:
        part = {"inlineData": {"mimeType": mime_type, "data": content.blob("data")}}
    else:
        part = {"fileData": {"mimeType": mime_type, "fileUri": content.text("uri")}}
    resolution = content.text("resolution")
    if resolution:
        if resolution not in _RESOLUTIONS:
            raise invalid(f"input: there is no resolution {resolution!r}.")
        part["mediaResolution"] = {"level": f"MEDIA_RESOLUTION_{resolution.upper()}"}
    processing = content.fields("processing")
    cut = {name: processing.number(name) for name in ("startOffset", "endOffset", "fps") if name in processing}
    return part | {"videoMetadata": cut} if cut else part


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
