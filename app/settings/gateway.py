"""All settings of the gateway in one object, and the rules between groups."""

from pydantic import model_validator

from app.settings.clients import ClientSettings
from app.settings.edge import EdgeSettings
from app.settings.environment import Environment
from app.settings.limits import LimitSettings
from app.settings.store import StoreSettings
from app.settings.tasks import TaskSettings
from app.settings.timeouts import TimeoutSettings
from app.settings.uploads import UploadSettings
from app.settings.upstream import UpstreamSettings

GROUPS: tuple[type[Environment], ...] = (
    UpstreamSettings,
    UploadSettings,
    ClientSettings,
    EdgeSettings,
    LimitSettings,
    TaskSettings,
    TimeoutSettings,
    StoreSettings,
)


class Settings(
    UpstreamSettings,
    UploadSettings,
    ClientSettings,
    EdgeSettings,
    LimitSettings,
    TaskSettings,
    TimeoutSettings,
    StoreSettings,
):
    """The gateway's settings, one base class a group."""

    @model_validator(mode="after")
    def _require_a_shared_secret(self) -> "Settings":
        if self.database_url.startswith("postgresql") and self.secret_key is None:
            raise ValueError("SECRET_KEY: PostgreSQL requires a SECRET_KEY, the same on every replica")
        return self
