"""How each surface tells its usage: Gemini's usageMetadata, Interactions' usage, OpenAI's usage. Pure functions."""

from collections.abc import Mapping

from app.gemini.answer import MODALITIES, Usage, count, read_usage
from app.native.used import Json, RelayedUsage, mapping, text


def read_generation(response: Json) -> RelayedUsage:
    """Read a GenerateContentResponse."""
    candidates = response.get("candidates")
    first = mapping(candidates[0]) if isinstance(candidates, list) and candidates else {}
    reason = text(first.get("finishReason"))
    if reason is None and mapping(response.get("promptFeedback")).get("blockReason"):
        reason = "blocked"
    metadata = response.get("usageMetadata")
    return RelayedUsage(
        usage=read_usage(metadata) if isinstance(metadata, dict) else None,
        model=text(response.get("modelVersion")),
        finish_reason=None if reason is None else reason.lower(),
        is_error="error" in response,
    )


def read_live(message: Json) -> RelayedUsage:
    """Read a server message of a Live session: its counts are named a little otherwise."""
    metadata = mapping(message.get("usageMetadata"))
    if not metadata:
        return RelayedUsage()
    usage = read_usage({**metadata, "candidatesTokenCount": metadata.get("responseTokenCount")})
    return RelayedUsage(usage=usage, finish_reason="turn_complete")


def read_interaction(message: Json) -> RelayedUsage:
    """Read an interaction, or the event of a stream that carries one."""
    interaction = mapping(message.get("interaction")) or message
    usage = interaction.get("usage")
    return RelayedUsage(
        usage=_interaction_usage(usage) if isinstance(usage, dict) else None,
        model=text(interaction.get("model")),
        finish_reason=text(interaction.get("status")),
        is_error="error" in message,
    )


def _interaction_usage(usage: Mapping[str, object]) -> Usage:
    modalities = dict.fromkeys(MODALITIES, 0)
    listed = usage.get("input_tokens_by_modality")
    for item in listed if isinstance(listed, list) else ():
        name = text(mapping(item).get("modality"))
        if name is not None:
            modalities[name.lower()] = count(modalities.get(name.lower(), 0) + count(mapping(item).get("tokens")))
    return Usage(
        input_tokens=count(usage.get("total_input_tokens")) + count(usage.get("total_tool_use_tokens")),
        output_tokens=count(usage.get("total_output_tokens")),
        thinking_tokens=count(usage.get("total_thought_tokens")),
        cached_tokens=count(usage.get("total_cached_tokens")),
        total_tokens=count(usage.get("total_tokens")),
        input_by_modality=modalities,
    )


def read_openai(response: Json) -> RelayedUsage:
    """Read an OpenAI answer, or the chunk of a stream that has its usage."""
    choices = response.get("choices")
    first = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    usage = response.get("usage")
    return RelayedUsage(
        usage=_openai_usage(usage) if isinstance(usage, dict) else None,
        model=text(response.get("model")),
        finish_reason=text(first.get("finish_reason")),
        is_error="error" in response,
    )


def _openai_usage(usage: Mapping[str, object]) -> Usage:
    # Thoughts are not in the completion's tokens, but in the total.
    prompt, completion, total = (
        count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        thinking_tokens=max(0, total - prompt - completion),
        cached_tokens=count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
        total_tokens=total,
    )
