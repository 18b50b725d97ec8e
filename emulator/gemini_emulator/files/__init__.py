"""The Files API: sessions, single-request uploads, and what is stored (Files API reference, section 2)."""
