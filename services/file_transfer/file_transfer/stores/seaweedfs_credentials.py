"""How a replica proves to SeaweedFS's servers that it is a replica.

A volume server wants a token for each chunk, signed with a key: there is one key for reading, and one for writing and
deleting. The replica signs the tokens itself. The masters do not have the keys, so nobody gets a token by asking them.
A master asks for a certificate.
"""

import base64
import hmac
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_VALID_SECONDS = 2 * 60 * 60
"""How long a token is good for. The clocks of hosts may differ by nearly as much."""

_HEADER = '{"alg":"HS256","typ":"JWT"}'


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The keys of the tokens for volume servers, and PEM files for masters.

    `identity` has this replica's certificate and its private key. `authority` has the certificate of the authority that
    issued this replica's certificate and those of the masters.
    """

    write_key: str = field(repr=False)
    read_key: str = field(repr=False)
    identity: Path
    authority: Path

    def to_read(self, key: str) -> Mapping[str, str]:
        """Return the headers of a request that reads the chunk with this key."""
        return _headers(self.read_key, key)

    def to_write(self, key: str) -> Mapping[str, str]:
        """Return the headers of a request that writes or deletes the chunk with this key."""
        return _headers(self.write_key, key)

    def context(self) -> ssl.SSLContext:
        """Return what a TLS connection to a master needs."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.identity)
        return context


def _headers(signing_key: str, key: str) -> Mapping[str, str]:
    # Keys that were chosen together share a file id, which a number follows. A token is for the file id.
    claims = json.dumps({"fid": key.partition("_")[0], "exp": int(time.time()) + _VALID_SECONDS})
    signed = f"{_encoded(_HEADER.encode())}.{_encoded(claims.encode())}"
    signature = hmac.digest(signing_key.encode(), signed.encode(), "sha256")
    return {"Authorization": f"Bearer {signed}.{_encoded(signature)}"}


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
