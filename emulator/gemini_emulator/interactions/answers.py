"""The answer to an interaction: its steps, usage and status, and the turn for the next interaction to continue."""

import base64
from collections.abc import Mapping

from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.responses import Identity

_SIGNATURE = base64.b64encode(b"the emulator does not think").decode()
_OUTCOMES: Mapping[str, str] = {"STOP": "completed", "MAX_TOKENS": "incomplete"}


def steps_of_answer(answer: Answer) -> list[dict[str, object]]:
    """Render the steps: a thought, then the text or the call."""
    thought: dict[str, object] = {"type": "thought", "signature": _SIGNATURE}
    if answer.thoughts:
        thought["summary"] = [{"type": "text", "text": answer.thoughts}]
    call = answer.call
    if call is not None:
        called: dict[str, object] = {
            "type": "function_call",
            "id": call.call_id,
            "name": call.name,
            "arguments": call.args,
        }
        return [thought, called]
    if not answer.text:
        return [thought]
    return [thought, {"type": "model_output", "content": [{"type": "text", "text": answer.text, "annotations": []}]}]


def outcome_of(answer: Answer) -> str:
    """Return the final status of an answer."""
    return "requires_action" if answer.call else _OUTCOMES.get(answer.finish_reason, "failed")


def turn_of_answer(answer: Answer) -> dict[str, object]:
    """Return the answer as a turn in the prompt of the next interaction."""
    call = answer.call
    if call is not None:
        return {
            "role": "model",
            "parts": [{"functionCall": {"id": call.call_id, "name": call.name, "args": dict(call.args)}}],
        }
    return {"role": "model", "parts": [{"text": answer.text}]}


def usage_of(answer: Answer, identity: Identity) -> dict[str, object]:
    """Render the usage; modalities in lower case."""
    asked, cached = identity.prompt_tokens, identity.cached_tokens
    total = sum(asked.values())
    usage: dict[str, object] = {
        "total_tokens": total + answer.text_tokens + answer.thought_tokens,
        "total_input_tokens": total,
        "input_tokens_by_modality": _by_modality(asked),
        "total_cached_tokens": sum(cached.values()),
        "total_output_tokens": answer.text_tokens,
        "output_tokens_by_modality": _by_modality({"TEXT": answer.text_tokens}),
        "total_tool_use_tokens": 0,
        "total_thought_tokens": answer.thought_tokens,
    }
    return usage | {"cached_tokens_by_modality": _by_modality(cached)} if cached else usage


def _by_modality(tokens: Mapping[str, int]) -> list[dict[str, object]]:
    return [{"modality": modality.lower(), "tokens": count} for modality, count in tokens.items() if count]
