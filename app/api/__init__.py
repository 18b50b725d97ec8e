"""The REST surface under `/api/v1`: one module per resource. It knows FastAPI, and makes no upstream calls."""
