"""The tests of the emulator alone: it imports nothing of the gateway."""
