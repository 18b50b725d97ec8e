"""What arrives: the form's reader, what a file is, inline or upload, and the files that lie at Gemini."""
