"""Every setting of the gateway: typed, described, read from the environment or a `.env` file, and nowhere else.

One module holds one group of settings. Secrets are `SecretStr`: no log, error or repr shows them. Settings know
nothing of HTTP, Gemini or the database beyond their addresses.
"""

from app.settings.clients import IssuerSettings as IssuerSettings
from app.settings.environment import MIB as MIB
from app.settings.environment import Environment as Environment
from app.settings.environment import SettingsError as SettingsError
from app.settings.environment import read as read
from app.settings.gateway import GROUPS as GROUPS
from app.settings.gateway import Settings as Settings
from app.settings.limits import LimitValues as LimitValues
from app.settings.trust import is_trusted_url as is_trusted_url
from app.settings.upstream import SHIPPED_ALIASES as SHIPPED_ALIASES
