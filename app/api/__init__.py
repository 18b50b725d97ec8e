"""The REST surface under `/api/v1`: one module a resource. It knows FastAPI, and makes no upstream calls of its own."""
