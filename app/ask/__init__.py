"""`gemini-gateway ask`: a small client of a running gateway. It imports nothing of the gateway."""
