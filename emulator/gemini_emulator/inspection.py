"""The calls under `/emulator/`: plan faults, look inside, start afresh. They need no key."""

import orjson

from gemini_emulator.clock import Clock
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.faults import FaultPlan
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.sessions import Sessions
from gemini_emulator.journal import Journal
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.kinds import Scalar, message
from gemini_emulator.proto.parser import parse
from gemini_emulator.rate import Rate
from gemini_emulator.stored import Stored

_LIMIT_BYTES = 16 * 1024 * 1024
_ADVANCE = message("Advance", {"advanceS": Scalar.FLOAT})


class Inspection:
    """Handlers of the calls under `/emulator/`."""

    def __init__(
        self,
        *,
        clock: Clock,
        file_store: FileStore,
        sessions: Sessions,
        plan: FaultPlan,
        journal: Journal,
        rate: Rate,
        stored: Stored,
    ) -> None:
        self._clock = clock
        self._file_store = file_store
        self._sessions = sessions
        self._plan = plan
        self._journal = journal
        self._rate = rate
        self._stored = stored

    async def serve(self, exchange: Exchange) -> None:
        """Answer a call; raises ApiFailureError for one that does not exist or says nonsense."""
        document = await exchange.document(_LIMIT_BYTES)
        match exchange.method, exchange.path.removeprefix("/emulator/"):
            case "POST", "faults":
                self._plan.add(document)
            case "DELETE", "faults":
                self._plan.clear()
            case "POST", "reset":
                self._reset()
            case "POST", "clock":
                self._advance(Fields(parse(_ADVANCE, document)).number("advanceS"))
            case "GET", "state":
                await exchange.answer_json(self._state())
                return
            case "GET", "requests":
                await exchange.answer(orjson.dumps(self._journal.resources()))
                return
            case method, _:
                raise ApiFailureError(404, f"There is no {method} {exchange.path}.")
        await exchange.answer_json({})

    def _advance(self, seconds: float | None) -> None:
        if seconds is None or seconds < 0:
            raise invalid("advance_s must be a number of seconds, not negative.")
        self._clock.advance(seconds)

    def _reset(self) -> None:
        self._sessions.clear()
        self._file_store.clear()
        self._stored.clear()
        self._plan.clear()
        self._journal.reset()
        self._rate.reset()
        self._clock.reset()

    def _state(self) -> dict[str, object]:
        now = self._clock.now()
        return {
            "files": [{**file.resource(now), "sha256": file.sha256.hex()} for file in self._file_store.everything()],
            "sessions": [session.resource() for session in self._sessions.everything()],
            **self._stored.state(),
            **self._journal.summary(),
        }
