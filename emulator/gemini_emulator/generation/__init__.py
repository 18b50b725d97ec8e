"""generateContent and its relatives: prompts, perception of media, answers (generateContent reference, section 3)."""
