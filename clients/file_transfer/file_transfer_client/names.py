"""File names, by the same rules as the server's: nothing else may become a path of a request or a local file."""

import unicodedata

from file_transfer_client.errors import ClientError

_MAX_BYTES = 255


def checked(name: str) -> str:
    """Check a name, and return it in Unicode's composed form (NFC), as the server does.

    Raises:
        ClientError: the name is empty, too long, a path, not UTF-8, or contains control characters.
    """
    if not name:
        raise ClientError("the name is empty: give the file a name")
    try:
        name = unicodedata.normalize("NFC", name)
        size = len(name.encode())
    except UnicodeEncodeError:
        raise ClientError("the name is not valid UTF-8: give another name with --as") from None
    if name in (".", "..") or "/" in name or "\\" in name:
        raise ClientError(f"the name {name!a} is a path: give only the name")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        raise ClientError(f"the name {name!a} contains control characters: remove them")
    if size > _MAX_BYTES:
        raise ClientError(f"the name has {size} bytes: use at most {_MAX_BYTES}")
    return name
