"""Live: the WebSocket `BidiGenerateContent`, relayed message by message.

    handshake ──> place (sessions.. 20 a client) ──> setup (10 s) ──> reservation ──> Gemini ──> relay, both ways

`endpoint` serves a handshake; `session` relays; `client` is the client's side of it; `closing` decides codes and
reasons; `messages` reads the passing messages; `turns` reserves and settles.
"""

from app.native.live.endpoint import live

__all__ = ["live"]
