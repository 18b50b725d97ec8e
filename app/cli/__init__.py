"""The command line: `gemini-gateway dev | serve | emulator | keys | openapi | ask`, a module per group of commands."""
