"""A SHA-256 that can be continued by another process, so that no byte of a resumed upload is hashed twice.

Python's `hashlib` cannot save its state. OpenSSL's low-level functions keep it in a plain structure (SHA256_CTX), which
has not changed since 0.9.8: https://docs.openssl.org/master/man3/SHA256_Init/
"""

import ctypes
import ctypes.util
import hashlib
from functools import cache

from file_transfer.chunks import Data

_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1", ctypes.util.find_library("crypto"))
_STATE_BYTES = 112  # 8 words of the hash, 2 of the length, a block of 64 bytes, and two numbers
_DIGEST_BYTES = 32


class ResumableSha256:
    """A running SHA-256. It computes without holding Python's lock."""

    def __init__(self, state: bytes | None = None) -> None:
        self._context = ctypes.create_string_buffer(_STATE_BYTES)
        if state is None:
            _library().SHA256_Init(self._context)
        else:
            self._context.raw = state

    @property
    def state(self) -> bytes:
        """The state after all bytes so far. `ResumableSha256(state)` continues from there."""
        return self._context.raw

    def update(self, data: Data) -> None:
        """Add the next bytes."""
        if isinstance(data, memoryview):
            view = (ctypes.c_char * data.nbytes).from_buffer(data) if not data.readonly else data.tobytes()
            _library().SHA256_Update(self._context, view, data.nbytes)
        else:
            _library().SHA256_Update(self._context, data, len(data))

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        context = ctypes.create_string_buffer(self._context.raw, _STATE_BYTES)
        result = ctypes.create_string_buffer(_DIGEST_BYTES)
        _library().SHA256_Final(result, context)
        return result.raw

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hex."""
        return self.digest().hex()


@cache
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None and _is_right(library):
            return library
    raise OSError("OpenSSL's libcrypto was not found: install it (Debian: libssl3)")


def _is_right(library: ctypes.CDLL) -> bool:
    """Check the functions against hashlib, so that a library with another structure is never used."""
    for function, arguments in (
        ("SHA256_Init", [ctypes.c_void_p]),
        ("SHA256_Update", [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]),
        ("SHA256_Final", [ctypes.c_void_p, ctypes.c_void_p]),
    ):
        if not hasattr(library, function):
            return False
        getattr(library, function).argtypes = arguments
    context = ctypes.create_string_buffer(2 * _STATE_BYTES)
    result = ctypes.create_string_buffer(_DIGEST_BYTES)
    sample = b"sample" * 100
    library.SHA256_Init(context)
    library.SHA256_Update(context, sample, len(sample))
    is_small_enough = not any(context.raw[_STATE_BYTES:])
    library.SHA256_Final(result, context)
    return is_small_enough and result.raw == hashlib.sha256(sample).digest()
