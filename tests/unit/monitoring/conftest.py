"""InfluxDBs for tests to read: one with data, one without."""

import pytest
from fake_influxdb import measured

from monitoring.influxdb_client import Read


@pytest.fixture
def read() -> Read:
    return measured


@pytest.fixture
def empty() -> Read:
    return lambda _database, _text: []
