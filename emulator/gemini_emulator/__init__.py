"""The Gemini API, offline: an application that imports nothing of the gateway.

Its answers are computed from the media that arrived, are the same for the same request, and never pretend to be a
model's. `create_emulator` returns the ASGI application, `run_emulator` serves it in a thread for tests.
"""

from gemini_emulator.app import create_emulator as create_emulator
from gemini_emulator.config import EmulatorConfig as EmulatorConfig
from gemini_emulator.faults import FaultKind as FaultKind
from gemini_emulator.settings import EmulatorSettings as EmulatorSettings
from gemini_emulator.splitting import SplitMode as SplitMode
from gemini_emulator.testing import run_emulator as run_emulator
