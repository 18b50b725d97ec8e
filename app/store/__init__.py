"""What is remembered: the registry of files and their uploads. It knows SQL, and no HTTP and no Gemini."""
