"""The client's messages of a Live session: judged, scanned, and rewritten as Gemini is to read them.

    message ──> scan ──> kind ──> credential ──> references resolved

Realtime input, which a microphone sends many times a second, is judged every 10 s by the session instead.
"""

from app.accounting.estimate import Estimate
from app.clients.authenticator import require_model
from app.errors import BodyTooLargeError, DependencyUnavailableError, MalformedRequestError
from app.native.body_tokens import content_tokens, tier_of
from app.native.documents import ScannedDocument
from app.native.live.client import LiveMessage
from app.native.scanning import BodyFacts, Found
from app.native.scanning.policy import LIVE
from app.native.services import NativeCall
from app.request.context import RequestContext

MAX_WORDS_BYTES = 1 << 20
"""The largest message without its media: many times the text that a Live model reads at once."""
_SETUP = frozenset({"setup"})
_REALTIME = frozenset({"realtimeinput"})


class LiveRequests:
    """Reads the messages of one session. `context` is the handshake's request context."""

    def __init__(self, call: NativeCall, context: RequestContext) -> None:
        if context.client_again is None:
            raise LookupError("the handshake's context lacks client_again, which judges the credential again")
        self._call = call
        self._client_again = context.client_again
        self._base_url = context.base_url
        self._model: str | None = None
        self._facts = BodyFacts()

    @property
    def model(self) -> str:
        """The model of the session, by Gemini's name."""
        return self._model or self._call.services.models.default

    @property
    def empty_turn(self) -> Estimate:
        """Return the estimate of a turn without input, by the tier and tools of the setup message."""
        return Estimate(0, None, tier_of(self._facts), frozenset(self._facts.paid_tools))

    async def setup(self, message: LiveMessage) -> LiveMessage:
        """Return the setup message as Gemini is to read it.

        Raises MalformedRequestError for any other message, and the errors of `read`.
        """
        document, found = await self._scanned(message)
        if document.root_names != _SETUP:
            raise MalformedRequestError("The first message of a Live session must be its setup.")
        rewritten = LiveMessage(await document.rewritten(message.data, found), message.is_text)
        self._model, self._facts = document.model, document.facts
        return rewritten

    async def read(self, message: LiveMessage) -> tuple[LiveMessage, int]:
        """Return a later message as Gemini is to read it, and the estimated tokens of its content.

        Raises the errors of judging the credential, of scanning and of resolving references.
        """
        document, found = await self._scanned(message)
        if document.root_names & _SETUP:
            raise MalformedRequestError("A Live session has only one setup, its first message; open a new session.")
        if document.root_names != _REALTIME:
            await self.judge()
        rewritten = LiveMessage(await document.rewritten(message.data, found), message.is_text)
        return rewritten, content_tokens(document.facts, [*document.resolver.files.values()])

    async def judge(self) -> None:
        """Judge the credential again.

        Raises UnauthenticatedError, ForbiddenError, and StoreUnavailableError or the provider's error if the credential
        cannot be judged now.
        """
        client = await self._client_again()
        require_model(client, self.model)
        # The client's limits may have changed too.
        self._call.usage.client = client

    async def judge_quietly(self) -> None:
        """Judge the credential like `judge`, but ignore a store or provider that is unavailable for the moment."""
        try:
            await self.judge()
        except DependencyUnavailableError:
            return

    async def _scanned(self, message: LiveMessage) -> tuple[ScannedDocument, list[Found]]:
        document = ScannedDocument(self._call, LIVE, self._base_url)
        found = await document.scan(message.data) + document.end()
        if len(message.data) - sum(document.facts.media_bytes.values()) > MAX_WORDS_BYTES:
            raise BodyTooLargeError(f"A Live message has at most {MAX_WORDS_BYTES} bytes besides its media.")
        return document, found
