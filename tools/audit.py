"""Asks whether the locked Python packages have known vulnerabilities: `python -m tools.audit`, or `make audit`.

It is not part of `make check`, because it needs the network, and its verdict changes while the checkout stays the same.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK_FILES = (
    "requirements/program.txt",
    "services/file_transfer/requirements.txt",
    "requirements/client.txt",
    "policy/requirements.txt",
    "examples/hcloud/requirements.txt",
    "requirements/lab.txt",
    "requirements/test.txt",
)
DATABASES = {"pypi": "PyPI's JSON API", "osv": "OSV"}

# By what pip-audit writes when it has no verdict. With `--strict` it then fails, instead of leaving the package out.
_UNANSWERED = "could not be audited"
_UNREACHABLE = ("Could not connect", "ConnectionError", "ProxyError", "Timeout", "SSLError", "HTTPError")


def main() -> int:
    """Print what pip-audit finds, or why it could not; 0 if no vulnerability of any package is known."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__)
    parser.add_argument("database", nargs="?", choices=DATABASES, default="pypi")
    database = parser.parse_args().database
    done = subprocess.run(_command(database), cwd=ROOT, capture_output=True, text=True, check=False)
    if problem := unanswered(done.stdout + done.stderr, database):
        print(f"audit: {problem}", file=sys.stderr)
        return 1
    print(done.stdout + done.stderr, end="")
    return done.returncode


def unanswered(output: str, database: str) -> str:
    """Return why there is no verdict, and what to do; "" if there is one."""
    lines = [line for line in output.splitlines() if line.strip()]
    other = next(name for name in DATABASES if name != database)
    remedy = f"there is no verdict: run `make audit` where it can be reached, or `make audit DATABASE={other}`"
    for line in lines:
        if _UNANSWERED in line:
            return f"{DATABASES[database]} does not have a locked package: {line.rpartition('audited: ')[2]}: {remedy}"
    if lines and any(word in lines[-1] for word in _UNREACHABLE):
        return f"{DATABASES[database]} could not be reached: {lines[-1]}: {remedy}"
    return ""


def _command(database: str) -> list[str]:
    tool = str(Path(sys.prefix) / "bin" / "pip-audit")
    options = [
        "--strict",
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner=off",
        f"--vulnerability-service={database}",
    ]
    return [tool, *options, *(word for file in LOCK_FILES for word in ("--requirement", file))]


if __name__ == "__main__":
    sys.exit(main())
