r"""Where a later answer meets the speech that was kept before: what it says again, and whether its clock began anew.

    a stretch of a later answer ─┬─ behind what was kept ─────────────────────────> new
                                 ├─ its words were kept at about its time ────────> known
                                 └─ it begins with words kept there, and goes on ─> known up to there

Words are compared, as letters and digits, and only with those kept for about the same time: people say the same thing
twice. What is not clearly known is new. Work grows linearly with what is compared. It knows no answers and no limits.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Protocol

# Times are told in tenths; two that differ by less are the same.
_SAME_TIME_S = 0.2
# Models listen no more exactly than that.
_INEXACT_S = 1.0
# A longer pause is not expected where speech goes on.
_PAUSE_S = 5.0
# The share of words from which on an answer tells the same speech again; other speech has the common words in common.
_TOLD_AGAIN = 2 / 3
# How much of what was kept is compared before and behind a stretch's start, and how much more for a long one.
_LOOK_CHARS = 1_000
_LOOK_LENGTHS = 2

# Scripts that set no blanks between words: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?=\w)[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def plain(text: str) -> str:
    """Give a text's words as letters and digits, joined by blanks; a text that has none is one word.

    Commas and capitals are set otherwise each time; in scripts without blanks each letter is a word.
    """
    return " ".join(word.casefold() for word in _WORD.findall(text)) or "".join(text.split())


def word_count(plain_text: str) -> int:
    """Count the words of a plain text that is not empty."""
    return plain_text.count(" ") + 1


def behind(text: str, count: int) -> str:
    """Give what follows the first `count` words of a text, which has more of them."""
    last, following = islice(_WORD.finditer(text), count - 1, count + 1)
    _, blank, opening = text[last.end() : following.start()].rpartition(" ")
    return text[following.start() - len(opening if blank else "") :]


class Stretch(Protocol):
    """Speech between two times in seconds, start <= end, and its `plain` words, at least one."""

    @property
    def start(self) -> float:
        """When it begins."""

    @property
    def end(self) -> float:
        """When it ends."""

    @property
    def plain(self) -> str:
        """What is said."""


@dataclass(frozen=True, slots=True)
class Known:
    """How many of a stretch's first words were kept before, and until when these go, in seconds."""

    words: int
    until: float


class Joint:
    """The end of what was kept, at least one stretch, against which a later answer is held."""

    def __init__(self, kept: Iterable[Stretch]) -> None:
        self._kept = sorted(kept, key=lambda one: one.start)
        self._starts = [one.start for one in self._kept]
        self._latest_ends = list(accumulate((one.end for one in self._kept), max))
        # Each has a blank on either side, so that only whole words are found.
        self._text = f" {' '.join(one.plain for one in self._kept)} "
        self._offsets = list(accumulate((len(one.plain) + 1 for one in self._kept), initial=0))
        self._said = {one.plain for one in self._kept}
        self.until = self._kept[-1].end

    def has_said(self, plain_text: str) -> bool:
        """Whether a stretch with just these words was kept, at whatever time."""
        return plain_text in self._said

    def known(self, one: Stretch) -> Known:
        """Tell how far a stretch was kept already."""
        if one.start >= self.until - _SAME_TIME_S and one.start > self._starts[-1] + _SAME_TIME_S:
            return Known(0, one.start)
        begin = bisect_left(self._latest_ends, one.start - _INEXACT_S)
        is_within = one.end <= self.until + _SAME_TIME_S
        # What goes on behind the end is told again only from where it begins, or it is the same word once more.
        if self._is_said(one, begin if is_within else bisect_left(self._starts, one.start - _SAME_TIME_S)):
            return Known(word_count(one.plain), one.end)
        return Known(0, one.start) if is_within else self._beginning(one, begin)

    def shift(self, told: Sequence[Stretch], first: float, latest_start: float) -> float:
        """Give the seconds to add to an answer's times, so that they follow what was kept; 0 if they do already.

        A clock that began anew begins about 0 or `first`, where the passage begins, and clearly before the end of what
        was kept; it does not run backwards, nor leap over that end; most of what it tells there is new, and in the
        end it does not reach `latest_start`, where nothing is said any more.
        """
        starts = [one.start for one in told]
        if not starts or starts[0] >= self.until - _INEXACT_S or starts[0] > self._starts[-1]:
            return 0.0
        origin = first if starts[0] >= first - _INEXACT_S else 0.0
        shift = round(self.until - min(origin, starts[0]), 3)
        if starts[0] > origin + _PAUSE_S or starts != sorted(starts) or starts[-1] + shift >= latest_start:
            return 0.0
        count = bisect_left(starts, self.until - _SAME_TIME_S)
        if count < len(told) and starts[count] > told[count - 1].end + _PAUSE_S:
            return 0.0
        familiar = sum(self._familiar(one) for one in told[:count])
        is_told_again = familiar >= _TOLD_AGAIN * sum(word_count(one.plain) for one in told[:count])
        return 0.0 if is_told_again else shift

    def _familiar(self, one: Stretch) -> int:
        """Count the words of a stretch that were kept at about its time, in whatever order: some are misheard."""
        low, high = self._near(one, bisect_left(self._latest_ends, one.start - _INEXACT_S))
        words = set(self._text[low:high].split(" "))
        return sum(word in words for word in one.plain.split(" "))

    def _near(self, one: Stretch, begin: int) -> tuple[int, int]:
        """Give from where to where in the text to look for a stretch, from the stretch numbered `begin` on."""
        end = bisect_right(self._starts, one.end + _INEXACT_S)
        middle = self._offsets[bisect_left(self._starts, one.start)]
        reach = _LOOK_CHARS + _LOOK_LENGTHS * len(one.plain)
        return max(self._offsets[begin], middle - reach), min(self._offsets[max(begin, end)], middle + reach)

    def _is_said(self, one: Stretch, begin: int) -> bool:
        low, high = self._near(one, begin)
        return self._text.find(f" {one.plain} ", low, high + 1) >= 0

    def _beginning(self, one: Stretch, begin: int) -> Known:
        """Find the most words at the beginning of a stretch with which what was kept ends, or one of its stretches."""
        low, high = self._near(one, begin)
        words = one.plain.split(" ")
        near = self._kept[bisect_left(self._offsets, low) : bisect_right(self._offsets, high) - 1]
        kept_words = [kept.plain.split(" ") for kept in near]
        counts = list(_matching(words, chain.from_iterable(kept_words)))
        best = Known(0, one.start)
        for kept, passed in zip(near, accumulate(map(len, kept_words)), strict=True):
            count = counts[passed - 1]
            # One word alone is easily said by someone else as well.
            if count > best.words and (count > 1 or kept.plain == words[0]):
                best = Known(count, kept.end)
        return best


def _matching(words: Sequence[str], passing: Iterable[str]) -> Iterator[int]:
    """Give at each word that passes how many of `words`, from the first on, have passed last (Knuth, Morris, Pratt)."""
    shorter = [0]
    for word in words[1:]:
        shorter.append(_matching_with(words, shorter, shorter[-1], word))
    count = 0
    for word in passing:
        count = _matching_with(words, shorter, count, word)
        yield count


def _matching_with(words: Sequence[str], shorter: Sequence[int], count: int, word: str) -> int:
    """Give the count with one word more; `shorter[n]` is how many words both begin and end the first n + 1."""
    if count == len(words):
        count = shorter[count - 1]
    while count and words[count] != word:
        count = shorter[count - 1]
    return count + (words[count] == word)
