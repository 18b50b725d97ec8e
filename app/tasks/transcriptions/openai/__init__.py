"""The transcription task at OpenAI's addresses, in OpenAI's shapes."""
