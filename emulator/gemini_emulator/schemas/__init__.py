"""JSON Schemas and values that satisfy them, part by part; `gemini_emulator.conforming` is the way in."""
