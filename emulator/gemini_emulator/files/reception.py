"""The arriving bytes of one file: counted, hashed, their beginning kept.

    pieces ── take() ──> thread: SHA-256 of all
                  └────> kept: the first bytes, within the budget of all files together

This module knows no session and no HTTP.
"""

import asyncio
import hashlib
from collections.abc import Sequence

_INLINE_WORK_BYTES = 65_536


class Allowance:
    """How many bytes all files together may keep in memory."""

    def __init__(self, total_bytes: int) -> None:
        self._free_bytes = total_bytes

    def draw(self, wanted_bytes: int) -> int:
        """Draw up to the wanted number of bytes from the budget, and return the number drawn."""
        granted = min(wanted_bytes, self._free_bytes)
        self._free_bytes -= granted
        return granted

    def give_back(self, size_bytes: int) -> None:
        """Return drawn bytes to the budget."""
        self._free_bytes += size_bytes


class KeptBytes:
    """The beginning of a file, in pieces until somebody wants to see it whole."""

    def __init__(self, allowance: Allowance, limit_bytes: int) -> None:
        self._allowance = allowance
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._is_full = False

    def add(self, piece: bytes) -> None:
        """Keep as much of a piece as may be kept."""
        if self._is_full:
            return
        granted = self._allowance.draw(min(len(piece), self._limit_bytes - self._size_bytes))
        # What was refused once leaves a gap, so that nothing behind it is of use.
        self._is_full = granted < len(piece)
        self._size_bytes += granted
        if granted:
            self._pieces.append(piece if granted == len(piece) else piece[:granted])

    def joined(self) -> bytes:
        """Return the kept bytes; the first call is slow for large files."""
        pieces = self._pieces
        if len(pieces) > 1:
            pieces = self._pieces = [b"".join(pieces)]
        return pieces[0] if pieces else b""

    def release(self) -> None:
        """Forget everything, and keep nothing more."""
        self._pieces = []
        self._allowance.give_back(self._size_bytes)
        self._size_bytes = 0
        self._is_full = True


class Reception:
    """A file that is coming in. One caller at a time."""

    def __init__(self, kept: KeptBytes) -> None:
        self._digest = hashlib.sha256()
        self._hashing: asyncio.Future[None] | None = None
        self.kept = kept
        self.received_bytes = 0

    async def take(self, pieces: Sequence[bytes]) -> None:
        """Receive the next bytes; return while a thread still hashes them."""
        await self.settle()
        for piece in pieces:
            self.received_bytes += len(piece)
            self.kept.add(piece)
        if sum(map(len, pieces)) < _INLINE_WORK_BYTES:
            self._hash(pieces)
        else:
            self._hashing = asyncio.get_running_loop().run_in_executor(None, self._hash, pieces)

    async def settle(self) -> None:
        """Wait until everything taken in has been hashed."""
        if self._hashing is not None:
            # A caller that is cancelled must not cancel what the next one relies on.
            await asyncio.shield(self._hashing)
            self._hashing = None

    async def sha256(self) -> bytes:
        """Return the SHA-256 of all bytes so far."""
        await self.settle()
        return self._digest.digest()

    def _hash(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self._digest.update(piece)
