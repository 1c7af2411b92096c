"""The two InfluxDBs read from a shell: `python -m monitoring metrics|report --vms-url URL --containers-url URL`.

The password of the user that reads comes from INFLUXDB_READER_PASSWORD: arguments are for everybody to see.
"""

import argparse
import os
import sys
from pathlib import Path

from monitoring import influxdb_client, report
from monitoring.influxdb_client import InfluxdbError
from monitoring.table import table

_PASSWORD = "INFLUXDB_READER_PASSWORD"  # noqa: S105 - the variable's name


def main() -> int:
    """Run one command; an expected failure is one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("command", choices=("metrics", "report"))
    parser.add_argument("--vms-url", required=True, help="such as http://192.168.50.2:8086")
    parser.add_argument("--containers-url", required=True, help="such as http://192.168.50.2:8087")
    parser.add_argument("--user", default="reader")
    parser.add_argument("--host", action="append", default=[], help="a host that should be measured; several times")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="the page that `report` writes")
    parser.add_argument("--minutes", type=int, default=30, help="how far back `report` looks")
    chosen = parser.parse_args()
    password = os.environ.get(_PASSWORD)
    if not password:
        print(f"{_PASSWORD} is not set: give it the password of user {chosen.user}", file=sys.stderr)
        return 1
    read = influxdb_client.reader({"vms": chosen.vms_url, "containers": chosen.containers_url}, chosen.user, password)
    try:
        if chosen.command == "metrics":
            print(table(read, chosen.host), end="")
        else:
            report.write(read, chosen.output, minutes=chosen.minutes)
            print(chosen.output)
    except InfluxdbError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
