"""The relayed surfaces: Gemini's own paths, uploads, Live and OpenAI's. Plain ASGI, bytes in, bytes out; no FastAPI."""
