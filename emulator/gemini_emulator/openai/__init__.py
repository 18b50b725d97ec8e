"""OpenAI's shapes in front of the same answers."""
