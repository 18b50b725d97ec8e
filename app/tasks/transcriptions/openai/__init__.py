"""The transcription task at OpenAI's paths, in OpenAI's shapes."""
