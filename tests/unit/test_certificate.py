"""TLS at the edge: the certificate is checked, reaches the edge as a secret, and has an alert on its expiry."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from certificates import self_signed
from recorder import PASSWORDS, Recorder

from components import certificate

Run = Callable[..., Recorder]
DAY = 24 * 3600


def test_the_expiry_is_the_first_certificates_and_a_key_is_required() -> None:
    chain = self_signed(days=5, with_key=False) + self_signed(days=60, with_key=False)

    with pytest.raises(ValueError, match="no PEM private key"):
        certificate.not_after(chain)
    assert certificate.not_after(self_signed(days=5)) == pytest.approx(time.time() + 5 * DAY, abs=60)


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        ("nonsense", "has no PEM certificate"),
        (self_signed(with_key=False), "has no PEM private key"),
        (self_signed(with_another_key=True), "does not belong to its first certificate"),
        (self_signed(days=-1), "expired on 20"),
    ],
    ids=["no certificate", "no key", "another's key", "expired"],
)
def test_a_bad_certificate_is_refused_and_not_shown_in_the_error(
    run_program: Run, values: dict[str, Any], recorder: Recorder, pem: str, expected: str
) -> None:
    with pytest.raises(Exception, match="edge_certificate: .*" + expected) as raised:
        run_program({**values, "edge_certificate": pem}, secrets=(*PASSWORDS, "edge_certificate"))

    assert pem not in str(raised.value)
    assert [r.name for r in recorder.resources if r.typ != "pulumi:pulumi:Stack"] == []


def test_with_a_certificate_every_port_speaks_tls_and_its_expiry_is_recorded(
    run_once: Run, values: dict[str, Any]
) -> None:
    pem = self_signed(days=30, names=["files.example.org", "*.Lab.example.org"])
    recorder = run_once(
        {**values, "edge_certificate": pem, "monitoring": {"publish": ["prometheus"]}},
        secrets=(*PASSWORDS, "edge_certificate"),
    )
    config = recorder.config("edge-config")

    assert "bind :5001 ssl crt /run/secrets/edge.pem" in config
    assert "bind :9090 ssl crt /run/secrets/edge.pem" in config
    assert "Strict-Transport-Security" in config
    assert recorder.environment("files")["FILE_TRANSFER_ALLOWED_HOSTS"] == "*.lab.example.org,files.example.org"
    assert recorder.secret("edge-certificate") == pem
    assert "https://192.168.50.2:5001/readyz" in recorder.ready
    delivered = recorder.commands()["prometheus-files"]["stdin"]
    expected = delivered[delivered.index("==> rules/expected.yml <==\n") :].split("\n==>")[0].partition("\n")[2]
    (group,) = yaml.safe_load(expected)["groups"]
    (rule,) = [rule for rule in group["rules"] if rule["record"] == "swarm:certificate_not_after:seconds"]
    assert rule["labels"] == {"certificate": "edge"}
    assert rule["expr"] == f"vector({certificate.not_after(pem)})"
