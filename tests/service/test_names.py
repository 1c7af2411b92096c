"""Names that look like others: which are refused, and that files which have them already can be read and deleted."""

import base64
import json

import pytest
from client import FORM, Client, file_form

from file_transfer import conditions, lifetime, names
from file_transfer.catalogue import Catalogue

MISLEADING = {
    "right-to-left override": "photo\u202egpj.exe",
    "right-to-left mark": "a\u200fb",
    "isolate": "a\u2066b",
    "Arabic letter mark": "a\u061cb",
    "zero-width space": "re\u200bport.txt",
    "word joiner": "a\u2060b",
    "byte order mark": "\ufeffa",
    "soft hyphen": "re\u00adport",
    "joiner beside ASCII": "report\u200d.txt",
    "joiner at the end": "\u0646\u200c",
    "two joiners": "\u0646\u200c\u200c\u0646",
    "Hangul filler": "\u3164",
    "blank Braille": "a\u2800b",
    "combining grapheme joiner": "a\u034fb",
    "tag": "a\U000e0041",
}
HONEST = {
    "leading dot": ".bashrc",
    "device of Windows": "CON",
    "device of Windows with an ending": "nul.txt",
    "trailing dot": "a.",
    "spaces": " a b ",
    "stream of NTFS": "a:b",
    "Persian with a non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt",
    "emoji of a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "burning heart": "\u2764\ufe0f\u200d\U0001f525",
    "Hebrew": "\u05e9\u05dc\u05d5\u05dd.txt",
}


@pytest.fixture
def backend() -> str:
    return "directory"


@pytest.mark.parametrize("name", MISLEADING.values(), ids=MISLEADING)
def test_a_name_that_looks_like_another_is_not_stored(client: Client, name: str) -> None:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    encoded = "".join(f"%{byte:02x}" for byte in name.encode())

    for refused in (
        client.put(encoded, b"x"),
        client.upload(name, b"x"),
        client.request("POST", "/uploads", tus_resumable="1.0.0", upload_length="1", upload_metadata=metadata),
    ):
        assert (refused.status, refused.text.isascii()) == (400, True)
        assert "U+" in refused.text
    assert json.loads(client.request("GET", "/files").text) == []


def test_a_file_that_has_such_a_name_already_can_be_read_and_deleted(client: Client, catalogue: Catalogue) -> None:
    for name in MISLEADING.values():
        encoded = "".join(f"%{byte:02x}" for byte in name.encode())
        with catalogue.receive() as incoming:
            incoming.write(b"content")
            catalogue.publish({name: incoming}, lifetime.FOREVER, conditions.NONE)

        assert client.get(encoded).body == b"content"
        assert client.download(name).body == b"content"
        assert client.request("DELETE", f"/files/{encoded}").status == 204


@pytest.mark.parametrize("name", HONEST.values(), ids=HONEST)
def test_an_unusual_name_stays_what_it_is(client: Client, name: str) -> None:
    assert client.request("POST", "/upload", file_form(name, b"x"), FORM).status == 201
    assert [file["name"] for file in json.loads(client.request("GET", "/files").text)] == [name]


def test_a_name_that_cannot_be_written_to_a_header_or_a_log_is_none() -> None:
    for character in "\0\n\r\t\x1b\x7f\x85\u2028\u2029":
        with pytest.raises(names.NameRefusedError, match="control characters"):
            names.checked(f"a{character}b")
