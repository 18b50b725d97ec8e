"""The Gemini gateway: a REST microservice between frontends and the Gemini API."""
