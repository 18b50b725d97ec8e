"""Every kind of request that the gateway serves or refuses, each with secrets in all places where clients put them."""

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.gateway import MEDIA

MODEL = "gemini-3.8-flash"
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PROMPT = "the-prompt-that-no-log-may-hold"
TEXT = "the-content-of-a-file-that-no-log-may-hold"
FILENAME = "the-name-of-a-file-that-no-log-may-hold.txt"
WRONG_KEY = "gg_" + "wrongkeyx1" * 5
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
MESSAGES = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
SPEECH = ("speech.wav", (MEDIA / "speech.wav").read_bytes(), "audio/wav")


@dataclass(slots=True)
class Traffic:
    """Requests to a gateway with the credentials given; `secrets` grows by those that the gateway hands out."""

    client: httpx.Client
    keys: list[str]
    secrets: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The gateway's URL."""
        return str(self.client.base_url).removesuffix("/")

    def send(self, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        """Send a request with a credential in its headers (empty: none); an answer that breaks off is an answer too."""
        headers = {"authorization": f"Bearer {key}", "cookie": f"session={key}"} if key else {}
        headers |= more.pop("headers", {})
        with suppress(httpx.TransportError):
            answer = self.client.request(method, path, headers=headers, **more)
            self.statuses.append(answer.status_code)
            return answer
        return httpx.Response(599)

    def rest(self, key: str) -> None:
        """Ask the gateway's own surface."""
        form = {"prompt": PROMPT, "user": PROMPT}
        file = {"file": (FILENAME, TEXT.encode(), "text/plain")}
        self.send("POST", "/api/v1/generate", key, files=[("prompt", (None, PROMPT)), ("file", file["file"])])
        self.send("POST", "/api/v1/generate", key, files={"prompt": (None, PROMPT), "stream": (None, "true")})
        self.send("POST", "/api/v1/generate", key, files={"prompt": (None, PROMPT), PROMPT: (None, TEXT)})
        self.send("POST", "/api/v1/chat", key, json={"messages": [{"role": "user", "content": PROMPT}]})
        self.send("POST", "/api/v1/chat", key, content=f'{{"messages": "{PROMPT}')
        self.send("POST", "/api/v1/count-tokens", key, files={"prompt": (None, PROMPT)})
        stored = self.send("POST", "/api/v1/files", key, files=file)
        file_id = stored.headers.get("location", PROMPT).rpartition("/")[2]
        self.send("PUT", f"/api/v1/files/raw/{FILENAME}", key, content=TEXT, headers={"content-type": "text/plain"})
        self.send("GET", f"/api/v1/files/{file_id}?key={key}", key)
        self.send("GET", f"/api/v1/files?filename={FILENAME}", key)
        self.send("POST", "/api/v1/audio/transcriptions", key, files={"file": SPEECH}, data=form)
        self.send("POST", "/api/v1/images/captions", key, files=file, data=form)
        for path in ("/api/v1/models", "/api/v1/usage", "/healthz", "/readyz", f"/problems/{PROMPT}", f"/{key}"):
            self.send("GET", f"{path}?key={key}&access_token={key}", key)
        self.send("PATCH", f"/api/v1/files/{PROMPT}", key)
        self.send("GET", f"/api/v1/models?defect={PROMPT}{key}", key)

    def google(self, key: str) -> None:
        """Ask Google's and OpenAI's surfaces, with the key in the query too."""
        query = f"?key={key}"
        for verb in ("generateContent", "streamGenerateContent", "countTokens"):
            self.send("POST", f"/v1beta/models/{MODEL}:{verb}{query}", "", json=CONTENTS)
        self.send("POST", f"/v1beta/models/{MODEL}:generateContent", key, content=json.dumps(CONTENTS)[:-1])
        self.send("POST", f"/v1beta/models/{PROMPT}:generateContent{query}", key, json=CONTENTS)
        embedded = {"content": CONTENTS["contents"][0]}
        self.send("POST", f"/v1beta/models/gemini-embedding-001:embedContent{query}", "", json=embedded)
        cache = {"model": f"models/{MODEL}", "contents": [{"role": "user", "parts": [{"text": PROMPT * 400}]}]}
        self.send("POST", f"/v1beta/cachedContents{query}", "", json=cache)
        batch = {"batch": {"inputConfig": {"requests": {"requests": [{"request": CONTENTS}]}}}}
        self.send("POST", f"/v1beta/models/{MODEL}:batchGenerateContent{query}", "", json=batch)
        self.send("POST", f"/v1beta/interactions{query}", "", json={"model": MODEL, "input": PROMPT})
        for path in ("files", "batches", "cachedContents", "models", f"files/{PROMPT}", f"nothing/{PROMPT}"):
            self.send("GET", f"/v1beta/{path}{query}", "")
        self.send("POST", "/v1beta/openai/chat/completions", key, json=MESSAGES)
        self.send("POST", "/v1beta/openai/chat/completions", key, json={**MESSAGES, "stream": True})
        self.send("POST", "/v1beta/openai/embeddings", key, json={"model": "gemini-embedding-001", "input": PROMPT})
        self.send("POST", "/v1beta/openai/audio/transcriptions", key, files={"file": SPEECH}, data={"prompt": PROMPT})

    def upload(self, key: str) -> None:
        """Upload a file by Google's protocol; the address that the gateway hands out is a credential."""
        command = "x-goog-upload-command"
        start = {
            "x-goog-upload-protocol": "resumable",
            command: "start",
            "x-goog-upload-header-content-length": str(len(TEXT)),
            "x-goog-upload-header-content-type": "text/plain",
        }
        for _ in range(2):
            begun = self.send(
                "POST", f"/upload/v1beta/files?key={key}", "", headers=start, json={"file": {"displayName": FILENAME}}
            )
            address = begun.headers.get("x-goog-upload-url", "")
            for name, values in parse_qs(urlsplit(address).query).items():
                if name == "upload_id":
                    self.secrets[f"upload token {len(self.secrets)}"] = values[0]
            target = address.removeprefix(self.url)
            self.send("POST", target, "", headers={command: "query"})
            self.send("POST", target, "", headers={command: "upload", "x-goog-upload-offset": "7"}, content=TEXT)
            whole = {command: "upload, finalize", "x-goog-upload-offset": "0"}
            self.send("POST", target, "", headers=whole, content=TEXT)
            self.send("POST", target, WRONG_KEY, headers=whole, content=TEXT)
        self.send("POST", f"/upload/v1beta/files?upload_id={PROMPT}", "", headers={command: "query"})

    def mint(self, key: str) -> str:
        """Mint a short-lived token."""
        made = self.send("POST", "/api/v1/auth/tokens", key, json={"ttl_s": 600, "user": "user-1"})
        token = str(made.json()["token"])
        self.secrets[f"token {len(self.secrets)}"] = token
        return token

    def connect(self, key: str) -> ClientConnection:
        """Open a Live session with the key in the query, as the JavaScript SDK does."""
        return connect(f"{self.url.replace('http', 'ws', 1)}{LIVE}?key={key}&prompt={PROMPT}", proxy=None)

    def live(self, key: str) -> None:
        """Hold a Live session of a turn, and sessions that go wrong."""
        try:
            with self.connect(key) as line:
                self.turn(line)
                line.send(b"\xff" + PROMPT.encode())
                self.statuses.append(101)
                line.recv(timeout=30)
        except (InvalidStatus, ConnectionClosed):
            pass
        with suppress(InvalidStatus, ConnectionClosed), self.connect(key) as line:
            line.send(f'{{"setup": "{PROMPT}')
            line.recv(timeout=30)
        with suppress(InvalidStatus, ConnectionClosed), self.connect(key) as line:
            line.send(b"\xff", text=True)
            line.recv(timeout=30)

    def turn(self, line: ClientConnection) -> None:
        """Set a session up and ask once."""
        line.send(json.dumps({"setup": {"model": f"models/{MODEL}"}}))
        line.recv(timeout=30)
        turn = {"turns": CONTENTS["contents"], "turnComplete": True}
        line.send(json.dumps({"clientContent": turn}))
        while "turnComplete" not in str(line.recv(timeout=30)):
            pass

    def broken(self, key: str) -> None:
        """Send heads and bodies that are no HTTP, and leave in the middle of a request."""
        name, port = urlsplit(self.url).hostname, urlsplit(self.url).port
        host = f"Host: {name}\r\nAuthorization: Bearer {key}\r\n"
        handshake = f"{host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        chunked = f"POST /v1beta/models/{MODEL}:generateContent?key={key} HTTP/1.1\r\n{host}Transfer-Encoding: chunked"
        for request in (
            f"GET /{PROMPT}?key={key} HTTP/9.9\r\n{host}\r\n",
            f"{PROMPT} {key}\r\n\r\n",
            f"GET /?key={key} HTTP/1.1\r\n{host}Host: {PROMPT}\r\n\r\n",
            f"GET {LIVE}?key={key} HTTP/1.1\r\n{handshake}Sec-WebSocket-Key: {PROMPT}\r\n\r\n",
            f"GET {LIVE}?key={key} HTTP/1.1\r\n{handshake}Content-Length: 5\r\n\r\n",
            f"{chunked}\r\n\r\n{PROMPT}\r\n",
            f"{chunked}\r\n\r\n5\r\n{{",
        ):
            with socket.create_connection((name, port), timeout=30) as line:
                line.sendall(request.encode())
                line.settimeout(1)
                with suppress(TimeoutError):
                    line.recv(65_536)
        time.sleep(0.1)
