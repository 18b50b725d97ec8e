"""Which Host names are the gateway's: loopback, the bound address, ALLOWED_HOSTS, and PUBLIC_URL's host."""

from urllib.parse import urlsplit

from app.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # compared with, not bound


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine only."""
    return host in LOOPBACK or host.startswith("127.")


def allowed_hosts(settings: Settings, bind_host: str) -> frozenset[str]:
    """Give the names and addresses, without ports, under which requests are served."""
    hosts = {*LOOPBACK, *settings.allowed_hosts}
    if bind_host not in _ANY:
        hosts.add(bind_host)
    if settings.public_url and (public := urlsplit(settings.public_url).hostname):
        hosts.add(public)
    return frozenset(hosts)
