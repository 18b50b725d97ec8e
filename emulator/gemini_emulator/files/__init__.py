"""The Files API: sessions, single-request uploads, and stored files (Files API reference, section 2)."""
