"""The upstream: a client of Gemini's HTTP API. It knows Gemini's envelope and errors, but no client of the gateway."""
