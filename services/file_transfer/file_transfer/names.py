"""File names: which are valid, and how they are written into headers and logs."""

import string
import unicodedata
from urllib.parse import quote

MAX_BYTES = 255

_JOINERS = "\u200c\u200d"
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$&'()+,-.=@[]^_`{}~")


class NameRefusedError(ValueError):
    """An invalid file name. The message says why, and is safe to print in a log or on a terminal."""


def checked(name: str | None) -> str:
    """Check a name, and return it in Unicode's composed form (NFC), since systems write accents differently.

    Raises:
        NameRefusedError: the name is empty, too long, a path, or contains control characters.
    """
    if not name:
        raise NameRefusedError("the name is empty: give the file a name")
    try:
        name = unicodedata.normalize("NFC", name)
        size = len(name.encode())
    except UnicodeEncodeError:
        raise NameRefusedError("the name is not valid UTF-8") from None
    if name in (".", "..") or "/" in name or "\\" in name:
        raise NameRefusedError(f"the name {printable(name)} is a path: give only the name")
    if _has_control_characters(name):
        raise NameRefusedError(f"the name {printable(name)} contains control characters: remove them")
    if size > MAX_BYTES:
        raise NameRefusedError(f"the name has {size} bytes: use at most {MAX_BYTES}")
    return name


def checked_new(name: str | None) -> str:
    """Check the name of a file that is to be stored, and return it as `checked` does.

    Files that were stored under other names by earlier releases can still be read and deleted.

    Raises:
        NameRefusedError: the name is invalid or misleading.
    """
    name = checked(name)
    if found := _misleading(name):
        raise NameRefusedError(
            f"the name {printable(name)} contains U+{ord(found):04X}, which hides text or changes its direction: "
            "remove it"
        )
    return name


def checked_part(field: str, text: str) -> str:
    """Check a text that is compared with names, and return it in NFC, as names are stored. It may be empty.

    Args:
        field: what the text is, for the error message.
        text: the beginning of names, or the name after which a list continues.

    Raises:
        NameRefusedError: the text contains characters that no name has.
    """
    if _has_control_characters(text):
        raise NameRefusedError(f"{field} is {printable(text)}, which contains control characters: remove them")
    return unicodedata.normalize("NFC", text)


def printable(name: str) -> str:
    """Return the name in quotes, shortened to one line, with every unsafe character escaped."""
    return ascii(name if len(name) <= MAX_BYTES else name[:MAX_BYTES] + "…")


def content_disposition(name: str) -> str:
    """Return the header that makes a browser save the file under its name (RFC 6266, encoded by RFC 8187).

    `curl -OJ` and other simple clients read the plain form, in which `_` replaces every special character.
    """
    plain = "".join(character if character in _PLAIN else "_" for character in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _misleading(text: str) -> str:
    """Return the first character that makes a name look like another one; empty if there is none.

    That is each character of Unicode's category for format, among them those that change the direction of text, and
    each letter or mark that is blank. Some languages and composed emoji need joiners, but never beside ASCII.
    """
    for position, character in enumerate(text):
        if character in _JOINERS:
            beside = text[max(position - 1, 0) : position], text[position + 1 : position + 2]
            if any(not other or other.isascii() or other in _JOINERS for other in beside):
                return character
        elif character in _BLANK or unicodedata.category(character) == "Cf":
            return character
    return ""
