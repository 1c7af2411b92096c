"""The object store of the tests, beside those of other users."""

from pathlib import Path

import object_store
import pytest


@pytest.mark.parametrize("offset", [0, 10000])
def test_a_port_whose_socket_somebody_has_left_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    monkeypatch.setattr(object_store, "SOCKETS", tmp_path)
    port = object_store.free_ports()[0]
    (tmp_path / f"seaweedfs-filer-{port + offset}.sock").touch()

    assert port not in object_store.free_ports()
