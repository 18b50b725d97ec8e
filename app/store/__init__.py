"""The database: files and uploads, clients and keys, budgets and the ledger. It knows SQL, no HTTP and no Gemini."""
