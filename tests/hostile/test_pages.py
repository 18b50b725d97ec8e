"""The pages that everybody may see: no path leads from them to another file, and they load nothing from elsewhere."""

import itertools
import re

from tests.closed_gateway import Closed
from tests.hostile.wire import each, exchange, request
from tests.sizes import some

PREFIXES = ("/docs/assets/", "/docs/", "/problems/", "/", "//")
STEPS = ("../", "..%2f", "%2e%2e/", "..\\", "..%5c", "....//", "%252e%252e%252f", "..%c0%af", "..;/", "./../")
TARGETS = ("etc/passwd", "__init__.py", "app/main.py", "pyproject.toml", "data/gateway.db", "secret.key", "%00", ".env")
TRAVERSALS = [
    f"{prefix}{step * depth}{target}"
    for prefix, step, depth, target in itertools.product(PREFIXES, STEPS, (1, 3, 9), TARGETS)
] + [
    f"{prefix}{target}"
    for prefix, target in itertools.product((*PREFIXES, "/docs/assets//"), ("/etc/passwd", *TARGETS))
]


async def test_no_spelling_of_a_path_reaches_a_file_that_is_no_page(closed: Closed) -> None:
    shown = []

    async def attack(path: str) -> None:
        answers = await exchange(closed.gateway.port, request(path), ends=False)
        if answers.status not in {400, 401, 404, 405}:
            shown.append((path, answers.status))

    await each(some(TRAVERSALS, 300), attack)

    assert shown == []


async def test_the_documentation_page_loads_nothing_from_another_host(closed: Closed) -> None:
    page = await closed.gateway.client.get("/docs")
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)

    assert page.status_code == 200
    assert len(sources) > 1
    assert [source for source in sources if re.match(r"(?:https?:)?//", source)] == []
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
