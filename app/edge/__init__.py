"""The edge: connections, limits, who may ask from where, and how an error leaves. It knows no FastAPI and no Gemini."""
