"""How each surface tells its usage: Gemini's usageMetadata, Interactions' usage, OpenAI's usage. Pure functions."""

from collections.abc import Iterable, Mapping

from app.gemini.answer import MODALITIES, Usage, count, told_usage
from app.gemini.enums import FINISH_REASONS, name_of
from app.native.json_values import items, mapping, text
from app.native.usage_reader import Json, RelayedUsage


def read_generation(response: Json) -> RelayedUsage:
    """Read a GenerateContentResponse."""
    candidates = [mapping(candidate) for candidate in items(response.get("candidates"))]
    reason = next((found for each in candidates if (found := name_of(each.get("finishReason"), FINISH_REASONS))), None)
    if reason is None and mapping(response.get("promptFeedback")).get("blockReason"):
        reason = "blocked"
    return RelayedUsage(
        usage=told_usage(response.get("usageMetadata")),
        model=text(response.get("modelVersion")),
        finish_reason=None if reason is None else reason.lower(),
        is_error="error" in response,
        text_chars=sum(map(_generated_chars, candidates)),
    )


def _generated_chars(candidate: Mapping[str, object]) -> int:
    parts = map(mapping, items(mapping(candidate.get("content")).get("parts")))
    return _chars(part.get("text") for part in parts if part.get("thought") is not True)


def _chars(texts: Iterable[object]) -> int:
    return sum(len(each) for each in texts if isinstance(each, str))


def read_live(message: Json) -> RelayedUsage:
    """Read a server message of a Live session, which names its counts differently."""
    metadata = mapping(message.get("usageMetadata"))
    turn = {"content": mapping(message.get("serverContent")).get("modelTurn")}
    return RelayedUsage(
        usage=told_usage({**metadata, "candidatesTokenCount": metadata.get("responseTokenCount")}),
        text_chars=_generated_chars(turn),
    )


def read_interaction(message: Json) -> RelayedUsage:
    """Read an interaction, or an event of its stream."""
    interaction = mapping(message.get("interaction")) or message
    usage = interaction.get("usage")
    delta = mapping(message.get("delta"))
    return RelayedUsage(
        usage=_interaction_usage(usage) if isinstance(usage, dict) else None,
        model=text(interaction.get("model")),
        finish_reason=text(interaction.get("status")),
        is_error="error" in message,
        text_chars=_chars([delta.get("text")]) if delta.get("type") == "text" else 0,
    )


def _interaction_usage(usage: Mapping[str, object]) -> Usage | None:
    modalities = dict.fromkeys(MODALITIES, 0)
    for item in map(mapping, items(usage.get("input_tokens_by_modality"))):
        name = text(item.get("modality"))
        if name is not None:
            modalities[name.lower()] = count(modalities.get(name.lower(), 0) + count(item.get("tokens")))
    return _unless_zero(
        Usage(
            input_tokens=count(usage.get("total_input_tokens")) + count(usage.get("total_tool_use_tokens")),
            output_tokens=count(usage.get("total_output_tokens")),
            thinking_tokens=count(usage.get("total_thought_tokens")),
            cached_tokens=count(usage.get("total_cached_tokens")),
            total_tokens=count(usage.get("total_tokens")),
            input_by_modality=modalities,
        )
    )


def read_openai(response: Json) -> RelayedUsage:
    """Read an OpenAI answer, or a chunk of its stream."""
    choices = [mapping(choice) for choice in items(response.get("choices"))]
    usage = response.get("usage")
    return RelayedUsage(
        usage=_openai_usage(usage) if isinstance(usage, dict) else None,
        model=text(response.get("model")),
        finish_reason=next((found for each in choices if (found := text(each.get("finish_reason")))), None),
        is_error="error" in response,
        text_chars=_chars(mapping(each.get("delta")).get("content") for each in choices),
    )


def _openai_usage(usage: Mapping[str, object]) -> Usage | None:
    # Thoughts are not in the completion's tokens, but in the total.
    prompt, completion, total = (
        count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    return _unless_zero(
        Usage(
            input_tokens=prompt,
            output_tokens=completion,
            thinking_tokens=max(0, total - prompt - completion),
            cached_tokens=count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
            total_tokens=total,
        )
    )


def _unless_zero(usage: Usage) -> Usage | None:
    return usage if usage.is_counted else None
