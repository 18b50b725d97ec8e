"""The Gemini API key: from the setting, or from a file that is read again when it changes (Docker secrets).

Only the upstream's requests carry the key.
"""

import time
from pathlib import Path

from pydantic import SecretStr

from app.settings import Settings, SettingsError

CHECK_INTERVAL_S = 5.0


class ApiKey:
    """The key in use and the key before it, which late answers may still mention."""

    def __init__(self, value: str, file: Path | None = None) -> None:
        self._value = SecretStr(value)
        self._former: SecretStr | None = None
        self._file = file
        self._stamp = file.stat().st_mtime_ns if file else 0
        self._checked_at = time.monotonic()

    def current(self) -> str:
        """Return the key in use; a key file is read again at most every five seconds."""
        if self._file is not None and time.monotonic() - self._checked_at > CHECK_INTERVAL_S:
            self._checked_at = time.monotonic()
            self._refresh(self._file)
        return self._value.get_secret_value()

    def secrets(self) -> tuple[str, ...]:
        """Return the key in use and the former one, which no client may see."""
        kept = (self._value,) if self._former is None else (self._value, self._former)
        return tuple(value.get_secret_value() for value in kept)

    def _refresh(self, file: Path) -> None:
        try:
            stamp = file.stat().st_mtime_ns
            value = file.read_bytes() if stamp != self._stamp else b""
        except OSError:
            # While a secret is being replaced its file is missing for a moment; keep the current key.
            return
        self._stamp = stamp
        if key := _usable(value):
            self._value, self._former = SecretStr(key), self._value


def _usable(value: bytes) -> str | None:
    # The key becomes the value of a header, so it must be one word.
    words = value.split()
    return words[0].decode() if len(words) == 1 and words[0].isascii() and words[0].decode().isprintable() else None


def read_api_key(settings: Settings) -> ApiKey:
    """Return the key from GEMINI_API_KEY or GEMINI_API_KEY_FILE. Raises SettingsError if neither has a usable key."""
    if settings.gemini_api_key is not None:
        key = _usable(settings.gemini_api_key.get_secret_value().encode())
        if key is None:
            raise SettingsError("GEMINI_API_KEY: must be one word of printable ASCII characters")
        return ApiKey(key)
    file = settings.gemini_api_key_file
    if file is None:
        raise SettingsError(
            "GEMINI_API_KEY: unset; add the line GEMINI_API_KEY=... to .env, or set GEMINI_API_KEY_FILE"
        )
    try:
        key = _usable(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"GEMINI_API_KEY_FILE: cannot be read: {error.strerror}") from None
    if key is None:
        raise SettingsError("GEMINI_API_KEY_FILE: the file must contain only the key")
    return ApiKey(key, file)
