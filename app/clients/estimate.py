"""What a call may use, said before it runs, and what it has used, said when it ends."""

from dataclasses import dataclass


class Estimate:
    """What a call may use at most, as far as it is known beforehand.

    `output_tokens` is the cap that the client set, else RESERVED_OUTPUT_TOKENS; `tokens` are both. `cost` is US dollars
    for both, None when the model has no price.
    """

    __slots__ = ("cost", "input_tokens", "output_tokens", "tokens")

    def __init__(self, input_tokens: int, output_tokens: int, cost: float | None = None) -> None:
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.tokens = input_tokens + output_tokens
        self.cost = cost


@dataclass(slots=True)
class Used:
    """What a call has used: tokens in and out (thoughts are output), and US dollars, None when that is not known."""

    input_tokens: int
    output_tokens: int
    cost: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens


NOTHING = Used(0, 0, 0.0)


def without_usage(estimate: Estimate, streamed_tokens: int) -> Used:
    """Say what a call has used that ended without a word on it: its input, and what was streamed of its output.

    The cost is the estimate's, in proportion to the tokens.
    """
    tokens = estimate.input_tokens + streamed_tokens
    share = tokens / estimate.tokens if estimate.tokens else 0.0
    return Used(estimate.input_tokens, streamed_tokens, None if estimate.cost is None else estimate.cost * share)
