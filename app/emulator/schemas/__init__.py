"""JSON Schemas and values that satisfy them, part by part; `app.emulator.conforming` is the way in."""
