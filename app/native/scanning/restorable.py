"""A scanner whose state outlives its process: the lines of an upload arrive in several requests."""

import codecs
from dataclasses import dataclass

import orjson

from app.native.scanning.frames import Frame
from app.native.scanning.grammar import unescaped
from app.native.scanning.policy import DEFAULT_RULES, Policy, ScanRules
from app.native.scanning.scanner import At, JsonScanner


@dataclass(frozen=True, slots=True)
class _SavedFrame:
    is_object: bool
    name: str
    names: list[str]


class RestorableScanner(JsonScanner):
    """A scanner that can be saved between two pieces, without its facts and the references that await a `type`."""

    def save(self) -> bytes:
        """Return the state, for `restore`."""
        frames = [_SavedFrame(frame.is_object, frame.name.decode(), sorted(frame.names)) for frame in self._stack]
        decoder = None if self._decoder is None else self._decoder.getstate()[0].hex()
        state = (self.position, int(self._at), self._held.hex(), self.values, self._is_media, decoder, frames)
        return orjson.dumps(state)

    @classmethod
    def restore(cls, saved: bytes, policy: Policy, rules: ScanRules = DEFAULT_RULES) -> "RestorableScanner":
        """Return a scanner that continues from a saved state."""
        position, at, held, values, is_media, decoder, frames = orjson.loads(saved)
        scanner = cls(policy, rules)
        scanner.position, scanner._at, scanner._held = position, At(at), bytes.fromhex(held)
        scanner.values, scanner._is_media = values, is_media
        for frame in frames:
            scanner._open_again(_SavedFrame(**frame))
        if decoder is not None:
            scanner._decoder = codecs.getincrementaldecoder("utf-8")("strict")
            scanner._decoder.setstate((bytes.fromhex(decoder), 0))
        return scanner

    def _open_again(self, saved: _SavedFrame) -> None:
        frame: Frame = self._frame(self._stack[-1] if self._stack else None, is_object=saved.is_object)
        frame.name, frame.names = saved.name.encode(), set(saved.names)
        self._names += len(frame.names)
        if saved.is_object and not frame.is_free:
            # Tables are not saved, so the name is looked up again.
            found = frame.place.look_up(unescaped(frame.name) or "")
            frame.field = frame.field if found is None else found[1]
        self._stack.append(frame)
