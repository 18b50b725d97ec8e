"""The gateway's own Host names: loopback, the bound address, ALLOWED_HOSTS, and the host of PUBLIC_URL."""

from urllib.parse import urlsplit

from app.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # compared with, not bound


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine only."""
    return host in LOOPBACK or host.startswith("127.")


def allowed_hosts(settings: Settings, bind_host: str) -> frozenset[str]:
    """Return the names and addresses, without ports, under which requests are served."""
    hosts = {*LOOPBACK, *settings.allowed_hosts}
    if bind_host not in _ANY:
        hosts.add(bind_host)
    if settings.public_url and (public := urlsplit(settings.public_url).hostname):
        hosts.add(public)
    return frozenset(hosts)
