"""TLS in front of any port: Google's Python SDK dials nothing else for Live."""

import asyncio
import datetime
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Terminator:
    """A listener: where it is, and the file of the certificate that it shows."""

    url: str
    certificate: Path


def _certificate(folder: Path) -> Path:
    """Make a certificate for the loopback, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return path


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def _serve(port: int, certificate: Path, told: "list[int]", is_up: Event, is_over: Event) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context) as server:
        told.append(server.sockets[0].getsockname()[1])
        is_up.set()
        await asyncio.to_thread(is_over.wait)
        server.close()


@contextmanager
def tls_before(port: int, folder: Path) -> Iterator[Terminator]:
    """Terminate TLS before a port of this machine until the block ends."""
    certificate, told, is_up, is_over = _certificate(folder), list[int](), Event(), Event()
    thread = Thread(target=lambda: asyncio.run(_serve(port, certificate, told, is_up, is_over)), name="tls")
    thread.start()
    try:
        assert is_up.wait(20), "TLS did not start"
        yield Terminator(f"https://127.0.0.1:{told[0]}", certificate)
    finally:
        is_over.set()
        thread.join(20)
