"""The cluster's own keys and certificates: always the same from one seed, and different for everything else."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from components import identities
from components.identities import Identity


def made(
    seed: str = "seed", *, authority: str = "store", name: str = "master", hosts: tuple[str, ...] = ()
) -> Identity:
    return identities.identity(seed, authority=authority, name=name, hosts=hosts)


def parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_the_same_seed_gives_the_same_keys_and_certificates() -> None:
    assert made(hosts=("a", "b")) == made(hosts=("a", "b"))
    assert identities.signing_key("seed", "write") == identities.signing_key("seed", "write")


def test_everything_else_gives_others() -> None:
    others = [made(), made("other"), made(authority="index"), made(name="volume"), made(hosts=("a",))]

    assert len({identity.key for identity in others}) == len(others)
    assert len({parsed(identity.certificate).serial_number for identity in others}) == len(others)
    assert len({identities.signing_key(*words) for words in [("s", "w"), ("s", "r"), ("t", "w")]}) == 3


def test_a_certificate_is_valid_for_its_authority_and_its_hosts_only() -> None:
    own, other = made(hosts=("a", "b")), made("other", hosts=("a", "b"))
    certificate = parsed(own.certificate)

    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "master"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a", "b"]
    certificate.verify_directly_issued_by(parsed(own.authority))
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(parsed(other.authority))


@pytest.mark.parametrize("host", ["a", "c"])
def test_openssl_accepts_it_for_its_host(tmp_path: Path, host: str) -> None:
    own = made(hosts=("a", "b"))
    (tmp_path / "authority").write_text(own.authority)
    (tmp_path / "identity").write_text(own.pem)
    command = ["openssl", "verify", "-x509_strict", "-verify_hostname", host, "-CAfile", "authority", "identity"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode == 0) == (host == "a"), done.stderr
