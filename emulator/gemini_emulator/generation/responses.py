"""GenerateContentResponse: whole, blocked, or in the chunks of a stream, with usage that grows."""

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gemini_emulator.faults import Fault
from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.media_analyzer import Seen
from gemini_emulator.generation.prompt import Prompt
from gemini_emulator.tokens import text_tokens

_MIN_CHUNK_CHARS = 40
_MAX_CHUNKS = 200
_SIGNATURE = base64.b64encode(b"the emulator does not think").decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """The fields repeated in every chunk of an answer, and the prompt's tokens by modality, cached tokens included."""

    model: str
    response_id: str
    prompt_tokens: Mapping[str, int]
    cached_tokens: Mapping[str, int] = field(default_factory=dict)


def prompt_tokens(prompt: Prompt, seen: list[Seen]) -> Mapping[str, int]:
    """Count a prompt's tokens, by modality; text first."""
    counted: Counter[str] = Counter(TEXT=sum(map(text_tokens, (*prompt.other_texts, *prompt.texts))))
    for medium in seen:
        counted.update(medium.tokens)
    return {modality: count for modality, count in counted.items() if count}


def details(tokens: Mapping[str, int]) -> list[dict[str, object]]:
    """Render tokens by modality."""
    return [{"modality": modality, "tokenCount": count} for modality, count in tokens.items()]


def whole(answer: Answer, identity: Identity) -> dict[str, object]:
    """Render an answer in one piece."""
    parts: list[Mapping[str, object]] = []
    if answer.thoughts:
        parts.append({"text": answer.thoughts, "thought": True})
    if answer.text:
        parts.append({"text": answer.text})
    parts += _ending_parts(answer)
    usage = _usage(identity, _times(answer.tokens, answer.candidates), answer.thought_tokens)
    return _response(identity, _candidates(parts, answer.candidates, answer), usage)


def blocked(fault: Fault, identity: Identity) -> dict[str, object]:
    """Render the refusal of a prompt: a reason, and no candidates."""
    response = _response(identity, [], _usage(identity, {}, 0))
    del response["candidates"]
    return {"promptFeedback": {"blockReason": fault.reason}, **response}


def chunks(answer: Answer, identity: Identity) -> Iterator[dict[str, object]]:
    """Render an answer chunk by chunk: thoughts, then text, with the finish reason on the last."""
    if answer.thoughts:
        parts: list[Mapping[str, object]] = [{"text": answer.thoughts, "thought": True}]
        yield _response(identity, _candidates(parts, answer.candidates), _usage(identity, {}, answer.thought_tokens))
    size = max(_MIN_CHUNK_CHARS, -(-len(answer.text) // _MAX_CHUNKS))
    for start in range(0, max(1, len(answer.text)), size):
        text = answer.text[start : start + size]
        is_last = start + size >= len(answer.text)
        counted = answer.tokens if is_last else {"TEXT": text_tokens(answer.text[: start + size])}
        parts = [{"text": text}] if text else []
        parts += _ending_parts(answer) if is_last else []
        candidates = _candidates(parts, answer.candidates, answer if is_last else None)
        if not is_last and answer.token_at is not None:
            # A checkpoint, from which a client resumes after a cut.
            candidates[0]["continuationToken"] = answer.token_at(start + size)
        yield _response(
            identity, candidates, _usage(identity, _times(counted, answer.candidates), answer.thought_tokens)
        )


def _ending_parts(answer: Answer) -> list[Mapping[str, object]]:
    """Return the parts after the text."""
    call = answer.call
    if call is None:
        return [extra.part for extra in answer.extras]
    shown = {"id": call.call_id, "name": call.name, "args": call.args}
    return [{"functionCall": shown, "thoughtSignature": _SIGNATURE}]


def _response(identity: Identity, candidates: list[dict[str, object]], usage: dict[str, object]) -> dict[str, object]:
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": identity.model,
        "responseId": identity.response_id,
        # Real answers carry what no SDK knows.
        "turnToken": f"turn-{identity.response_id}",
    }


def _candidates(parts: list[Mapping[str, object]], count: int, ending: Answer | None = None) -> list[dict[str, object]]:
    return [_candidate(parts, index, ending) for index in range(count)]


def _candidate(parts: list[Mapping[str, object]], index: int, ending: Answer | None) -> dict[str, object]:
    content: dict[str, object] = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate: dict[str, object] = {"content": content}
    if ending is not None:
        if ending.finish_reason:
            candidate["finishReason"] = ending.finish_reason
        if ending.token_at is not None and ending.finish_reason in {"CONTINUATION", "MAX_TOKENS"}:
            candidate["continuationToken"] = ending.token_at(len(ending.text))
        if ending.finish_message:
            candidate["finishMessage"] = ending.finish_message
    candidate["index"] = index
    return candidate


def _times(tokens: Mapping[str, int], candidates: int) -> Mapping[str, int]:
    return {modality: count * candidates for modality, count in tokens.items() if count}


def _usage(identity: Identity, answered: Mapping[str, int], thoughts: int) -> dict[str, object]:
    prompt = sum(identity.prompt_tokens.values())
    usage: dict[str, object] = {
        "promptTokenCount": prompt,
        "totalTokenCount": prompt + sum(answered.values()) + thoughts,
        "promptTokensDetails": details(identity.prompt_tokens),
    }
    if identity.cached_tokens:
        usage["cachedContentTokenCount"] = sum(identity.cached_tokens.values())
        usage["cacheTokensDetails"] = details(identity.cached_tokens)
    if answered:
        usage["candidatesTokenCount"] = sum(answered.values())
        usage["candidatesTokensDetails"] = details(answered)
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage
