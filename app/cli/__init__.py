"""The command line: `gemini-gateway dev | serve | emulator | keys | openapi | ask`, one module a group of commands."""
