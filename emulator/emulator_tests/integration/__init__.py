"""The emulator's HTTP application, over a real socket."""
