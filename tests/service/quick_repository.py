"""An empty restic repository whose password is cheap to check: restic spends a third of a second on it each time.

Its format is restic's: https://restic.readthedocs.io/en/stable/100_references.html
"""

import base64
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

_KEY_BYTES = 64
"""The length of a key: 32 bytes encrypt, and 32 authenticate."""

_COST = {"N": 2, "r": 1, "p": 1}
"""The parameters of scrypt: the cheapest that restic accepts. Its own take half a second for each key."""


def create(folder: Path, password: str) -> None:
    """Create what `restic init` creates."""
    for name in ("data", "index", "keys", "locks", "snapshots"):
        (folder / name).mkdir(parents=True)
    master, salt = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(64)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=_COST["N"], r=_COST["r"], p=_COST["p"], dklen=_KEY_BYTES)
    secret = {"mac": {"k": _text(master[32:48]), "r": _text(master[48:])}, "encrypt": _text(master[:32])}
    key = {
        "created": "2026-11-29T12:00:00Z",
        "kdf": "scrypt",
        **_COST,
        "salt": _text(salt),
        "data": _text(_sealed(derived, secret)),
    }
    content = json.dumps(key).encode()
    (folder / "keys" / hashlib.sha256(content).hexdigest()).write_bytes(content)
    config = {"version": 2, "id": secrets.token_hex(32), "chunker_polynomial": "25b468838dcb75"}
    (folder / "config").write_bytes(_sealed(master, config))


def _sealed(key: bytes, content: dict[str, Any]) -> bytes:
    """Encrypt with AES-256 in counter mode, and authenticate with Poly1305-AES."""
    nonce = secrets.token_bytes(16)
    text = Cipher(algorithms.AES(key[:32]), modes.CTR(nonce)).encryptor().update(json.dumps(content).encode())
    pad = Cipher(algorithms.AES(key[32:48]), modes.ECB()).encryptor().update(nonce)
    return nonce + text + Poly1305.generate_tag(key[48:] + pad, text)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
