"""Shows the metrics in both InfluxDBs: `python -m monitoring metrics|report --vms-url URL --containers-url URL`.

The password comes from the environment variable INFLUXDB_READER_PASSWORD, since other processes can see arguments.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from . import influxdb_client
from .influxdb_client import InfluxdbError, Read
from .table import table

_PASSWORD = "INFLUXDB_READER_PASSWORD"  # noqa: S105 - the variable's name


def main() -> int:
    """Run one command and return the exit status. An expected failure prints one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("command", choices=("metrics", "report"))
    parser.add_argument(
        "--vms-url", required=True, help="URL of the InfluxDB of the VMs, such as http://192.168.50.2:8086"
    )
    parser.add_argument(
        "--containers-url",
        required=True,
        help="URL of the InfluxDB of the containers, such as http://192.168.50.2:8087",
    )
    parser.add_argument("--user", default="reader")
    parser.add_argument(
        "--authority", type=Path, help="for https: a PEM file with the certificate of the edge's issuer"
    )
    parser.add_argument("--host", action="append", default=[], help="a host that should have metrics; repeatable")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="the file that `report` writes")
    parser.add_argument("--minutes", type=int, default=30, help="the time that `report` covers")
    args = parser.parse_args()
    password = os.environ.get(_PASSWORD)
    if not password:
        print(f"{_PASSWORD} is not set: set it to the password of user {args.user}", file=sys.stderr)
        return 1
    urls = {"vms": args.vms_url, "containers": args.containers_url}
    read = influxdb_client.reader(urls, args.user, password, authority=args.authority)
    try:
        if args.command == "metrics":
            print(table(read, args.host), end="")
        else:
            return _report(read, args.output, minutes=args.minutes)
    except InfluxdbError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _report(read: Read, output: Path, *, minutes: int) -> int:
    if importlib.util.find_spec("matplotlib") is None:
        print("the charts need matplotlib: run `pip install matplotlib`", file=sys.stderr)
        return 1
    # Only the charts need matplotlib, so the program's requirements do not have it.
    from . import report  # noqa: PLC0415

    report.write(read, output, minutes=minutes)
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
