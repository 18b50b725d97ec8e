"""The gateway's own secret, from SECRET_KEY or created once beside the SQLite database; seals and signs by it."""

import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.engine import make_url

from app.settings import SettingsError
from app.store.private_files import SECRET_NAME, make_private_folder, sqlite_file

LEAST_SECRET_CHARS = 32
# Number of unsealed values kept in memory.
REMEMBERED = 64


def _kept_secret(database_url: str) -> str:
    database = sqlite_file(make_url(database_url).database)
    if database is None:
        return secrets.token_urlsafe(48)
    make_private_folder(database)
    path = database.with_name(SECRET_NAME)
    if not path.exists():
        _make_secret(path)
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(secret) < LEAST_SECRET_CHARS:
        raise SettingsError(
            f"SECRET_KEY: unset, and {path} contains no secret; delete that file to have a secret created"
        )
    return secret


def _make_secret(path: Path) -> None:
    # The file gets its name only when it is whole, and the first of several processes wins.
    handle, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _derived(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())


class Vault:
    """Seals small values (session URLs) for the registry, with a key derived from the gateway's secret."""

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(urlsafe_b64encode(_derived(secret, b"gemini-gateway stored values")))
        # Each chunk of an upload needs the same value.
        self._unsealed = lru_cache(maxsize=REMEMBERED)(self._decrypted)

    def seal(self, value: str) -> bytes:
        """Encrypt and authenticate `value`."""
        return self._fernet.encrypt(value.encode())

    def unseal(self, sealed: bytes) -> str:
        """Return the sealed value; raises cryptography.fernet.InvalidToken if another secret sealed it."""
        return self._unsealed(sealed)

    def _decrypted(self, sealed: bytes) -> str:
        return self._fernet.decrypt(sealed).decode()


def open_vault(secret: str | None, database_url: str) -> Vault:
    """Return the vault for SECRET_KEY, or for the secret stored (mode 0600) beside the SQLite database.

    Raises SettingsError if the stored file contains no secret.
    """
    return Vault(secret or _kept_secret(database_url))


def open_signing_key(secret: str | None, database_url: str) -> bytes:
    """Return the key (32 bytes) that signs clients' short-lived tokens, derived from the same secret as the vault.

    Raises SettingsError if the stored file contains no secret.
    """
    return _derived(secret or _kept_secret(database_url), b"gemini-gateway client tokens")
