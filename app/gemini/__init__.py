"""The upstream: Gemini's HTTP API as a client sees it. It knows its envelope and its errors, and no client of ours."""
