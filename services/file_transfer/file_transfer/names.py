"""Names of files: what may be one, and how it is written into headers and logs."""

import string
import unicodedata
from urllib.parse import quote

MAX_BYTES = 255

_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$&'()+,-.=@[]^_`{}~")


class NameRefusedError(ValueError):
    """A name that no file can have; the text says why, in words fit for a log and a terminal."""


def checked(name: str | None) -> str:
    """The name in Unicode's composed form (NFC): the same for whoever asks, however their system writes accents.

    Raises:
        NameRefusedError: empty, too long, a path, or with control characters.
    """
    if not name:
        raise NameRefusedError("the name is empty: give the file a name")
    try:
        name = unicodedata.normalize("NFC", name)
        size = len(name.encode())
    except UnicodeEncodeError:
        raise NameRefusedError("the name is not valid UTF-8") from None
    if name in (".", "..") or "/" in name or "\\" in name:
        raise NameRefusedError(f"the name {printable(name)} is a path: give the name alone")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        raise NameRefusedError(f"the name {printable(name)} has control characters")
    if size > MAX_BYTES:
        raise NameRefusedError(f"the name has {size} bytes: at most {MAX_BYTES} are possible")
    return name


def printable(name: str) -> str:
    """The name in quotes, cut to a line's length, with everything escaped that could be taken for more than text."""
    return ascii(name if len(name) <= MAX_BYTES else name[:MAX_BYTES] + "…")


def content_disposition(name: str) -> str:
    """The header that makes a browser save the file under its name (RFC 6266, with RFC 8187's encoding).

    `curl -OJ` and other simple clients read the plain form, where «_» stands for what it cannot say.
    """
    plain = "".join(character if character in _PLAIN else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
