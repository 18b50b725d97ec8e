r"""The overlap of a later answer with the speech kept before: repeated words, and whether the clock began again.

    a stretch of a later answer ─┬─ after the kept speech ──────────────────────────> new
                                 ├─ its words were kept at about its time ──────────> known
                                 └─ it begins with words kept there, and continues ─> known up to there

Words are compared as letters and digits, and only with words kept for about the same time, since people repeat
themselves. Words that are not clearly known are new. The work grows linearly with the compared text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Protocol

# Times are given in tenths of a second; times that differ by less are the same.
_SAME_TIME_S = 0.2
# Models hear times no more exactly than this.
_INEXACT_S = 1.0
# Continued speech is not expected to have a longer pause.
_PAUSE_S = 5.0
# From this share of known words on, an answer repeats the same speech; different speech shares only common words.
_REPEATED_SHARE = 2 / 3
# Compared characters before and after a stretch's start, and further characters in proportion to a long stretch.
_LOOK_CHARS = 1_000
_LOOK_LENGTHS = 2

# Scripts without spaces between words: Thai and Lao, Burmese, Khmer, kana, Chinese characters.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?=\w)[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def plain(text: str) -> str:
    """Return a text's words in lower case as letters and digits, joined by spaces; a text without any is one word."""
    # Punctuation and capitals differ between answers. In scripts without spaces each letter is a word.
    return " ".join(word.casefold() for word in _WORD.findall(text)) or "".join(text.split())


def word_count(plain_text: str) -> int:
    """Return the number of words of a plain text that is not empty."""
    return plain_text.count(" ") + 1


def after_words(text: str, count: int) -> str:
    """Return the rest of a text after its first `count` words; the text must have more words."""
    last, following = islice(_WORD.finditer(text), count - 1, count + 1)
    _, blank, opening = text[last.end() : following.start()].rpartition(" ")
    return text[following.start() - len(opening if blank else "") :]


class Stretch(Protocol):
    """Speech between two times in seconds, start <= end, and its `plain` words, at least one."""

    @property
    def start(self) -> float:
        """Return the time at which the speech begins."""

    @property
    def end(self) -> float:
        """Return the time at which the speech ends."""

    @property
    def plain(self) -> str:
        """Return the words as `plain` returns them."""


@dataclass(frozen=True, slots=True)
class Known:
    """The number of a stretch's first words that were kept before, and the time in seconds at which these end."""

    words: int
    until: float


class Overlap:
    """The kept stretches, at least one, with which a later answer is compared."""

    def __init__(self, kept: Iterable[Stretch]) -> None:
        self._kept = sorted(kept, key=lambda stretch: stretch.start)
        self._starts = [stretch.start for stretch in self._kept]
        self._latest_ends = list(accumulate((stretch.end for stretch in self._kept), max))
        # Every stretch has a space on either side, so that only whole words are found.
        self._text = f" {' '.join(stretch.plain for stretch in self._kept)} "
        self._offsets = list(accumulate((len(stretch.plain) + 1 for stretch in self._kept), initial=0))
        self._said = {stretch.plain for stretch in self._kept}
        self.until = self._kept[-1].end

    def has_said(self, plain_text: str) -> bool:
        """Whether a stretch with exactly these words was kept, at any time."""
        return plain_text in self._said

    def known(self, stretch: Stretch) -> Known:
        """Return the part of a stretch that was kept already."""
        if stretch.start >= self.until - _SAME_TIME_S and stretch.start > self._starts[-1] + _SAME_TIME_S:
            return Known(0, stretch.start)
        begin = bisect_left(self._latest_ends, stretch.start - _INEXACT_S)
        is_within = stretch.end <= self.until + _SAME_TIME_S
        # A stretch that continues after the kept end repeats speech only from its own start on; an earlier match would
        # be the same word, spoken twice.
        if self._was_said(stretch, begin if is_within else bisect_left(self._starts, stretch.start - _SAME_TIME_S)):
            return Known(word_count(stretch.plain), stretch.end)
        return Known(0, stretch.start) if is_within else self._beginning(stretch, begin)

    def shift(self, stretches: Sequence[Stretch], first: float, latest_start: float) -> float:
        """Return the seconds to add to an answer's times, so that they follow the kept speech; 0 if they do already.

        `first` is the start of the passage, and no speech begins at or after `latest_start`, in seconds.
        """
        # A clock that began again starts near 0 or `first`, clearly before the kept end. Its times neither run
        # backwards nor jump over that end, most of its words there are new, and its shifted end stays before
        # `latest_start`.
        starts = [stretch.start for stretch in stretches]
        if not starts or starts[0] >= self.until - _INEXACT_S or starts[0] > self._starts[-1]:
            return 0.0
        origin = first if starts[0] >= first - _INEXACT_S else 0.0
        shift = round(self.until - min(origin, starts[0]), 3)
        if starts[0] > origin + _PAUSE_S or starts != sorted(starts) or starts[-1] + shift >= latest_start:
            return 0.0
        count = bisect_left(starts, self.until - _SAME_TIME_S)
        if count < len(stretches) and starts[count] > stretches[count - 1].end + _PAUSE_S:
            return 0.0
        familiar = sum(self._familiar(stretch) for stretch in stretches[:count])
        is_repeated = familiar >= _REPEATED_SHARE * sum(word_count(stretch.plain) for stretch in stretches[:count])
        return 0.0 if is_repeated else shift

    def _familiar(self, stretch: Stretch) -> int:
        """Return the number of words of a stretch that were kept at about its time, in any order."""
        low, high = self._near(stretch, bisect_left(self._latest_ends, stretch.start - _INEXACT_S))
        words = set(self._text[low:high].split(" "))
        return sum(word in words for word in stretch.plain.split(" "))

    def _near(self, stretch: Stretch, begin: int) -> tuple[int, int]:
        """Return the range of the text in which to look for a stretch, from the stretch numbered `begin` on."""
        end = bisect_right(self._starts, stretch.end + _INEXACT_S)
        middle = self._offsets[bisect_left(self._starts, stretch.start)]
        reach = _LOOK_CHARS + _LOOK_LENGTHS * len(stretch.plain)
        return max(self._offsets[begin], middle - reach), min(self._offsets[max(begin, end)], middle + reach)

    def _was_said(self, stretch: Stretch, begin: int) -> bool:
        low, high = self._near(stretch, begin)
        return self._text.find(f" {stretch.plain} ", low, high + 1) >= 0

    def _beginning(self, stretch: Stretch, begin: int) -> Known:
        """Return the longest beginning of a stretch that is also the end of the kept speech or of a kept stretch."""
        low, high = self._near(stretch, begin)
        words = stretch.plain.split(" ")
        near = self._kept[bisect_left(self._offsets, low) : bisect_right(self._offsets, high) - 1]
        kept_words = [kept.plain.split(" ") for kept in near]
        counts = list(_matching(words, chain.from_iterable(kept_words)))
        best = Known(0, stretch.start)
        for kept, passed in zip(near, accumulate(map(len, kept_words)), strict=True):
            count = counts[passed - 1]
            # A single word may also be a coincidence.
            if count > best.words and (count > 1 or kept.plain == words[0]):
                best = Known(count, kept.end)
        return best


def _matching(words: Sequence[str], passing: Iterable[str]) -> Iterator[int]:
    """Yield at each passing word how many of `words`, from the first on, have just passed (Knuth, Morris, Pratt)."""
    shorter = [0]
    for word in words[1:]:
        shorter.append(_matching_with(words, shorter, shorter[-1], word))
    count = 0
    for word in passing:
        count = _matching_with(words, shorter, count, word)
        yield count


def _matching_with(words: Sequence[str], shorter: Sequence[int], count: int, word: str) -> int:
    """Return the count after one more word; `shorter[n]` is how many words both begin and end the first n + 1."""
    if count == len(words):
        count = shorter[count - 1]
    while count and words[count] != word:
        count = shorter[count - 1]
    return count + (words[count] == word)
