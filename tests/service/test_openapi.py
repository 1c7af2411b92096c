"""The service behaves as its OpenAPI description says, for any request."""

import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest
import schemathesis
from catalogues import catalogue_in
from client import MAX_TRANSFERS, Client
from hypothesis import HealthCheck, settings

from file_transfer import app, web_page

DESCRIBED = json.loads((Path(app.__file__).parent / "openapi.json").read_text())
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_headers_conformance,
    schemathesis.checks.response_schema_conformance,
]


def application(folder: Path) -> Any:
    return app.create(catalogue_in(folder, max_file=2**20), max_transfers=MAX_TRANSFERS)


def validated(application: Any) -> Any:
    """Close every response, as servers do and the test client does not, and check the rules of WSGI."""

    def respond(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with closing(validator(application)(environ, start_response)) as body:
            return [b"".join(body)]

    return respond


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

FOLDER = tempfile.TemporaryDirectory()
schema = schemathesis.openapi.from_wsgi("/openapi.json", validated(application(Path(FOLDER.name))))


@schema.parametrize()
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")  # wsgiref has not heard of QUERY
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_response_matches_the_description(case: Any) -> None:
    case.call_and_validate(checks=CHECKS)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, methods[method])
        for path, methods in DESCRIBED["paths"].items()
        for method in methods
        if method != "parameters"
    ]


@pytest.mark.parametrize(("method", "path", "described"), operations())
def test_the_described_fields_of_a_query_are_the_valid_ones(
    client: Client, method: str, path: str, described: dict[str, Any]
) -> None:
    references = [
        DESCRIBED["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if "$ref" in parameter
        else parameter
        for parameter in described.get("parameters", [])
    ]
    valid = [parameter["name"] for parameter in references if parameter["in"] == "query"]

    refused = client.request(method, f"{path.format(name='x', identifier=f'{0:032}')}?unknown=1", tus_resumable="1.0.0")

    assert refused.status == 400
    assert "400" in described["responses"]
    if method != "HEAD":
        assert refused.text.partition("field 'unknown': ")[2] == (
            f"it can have {', '.join(valid)}\n" if valid else "this request takes none\n"
        )


@pytest.mark.parametrize(("path", "form"), [("/upload", {"file", "sha256"}), ("/download", {"name"})])
def test_the_described_fields_of_a_form_are_the_valid_ones(path: str, form: set[str]) -> None:
    for content in DESCRIBED["paths"][path]["post"]["requestBody"]["content"].values():
        assert (set(content["schema"]["properties"]), content["schema"]["additionalProperties"]) == (form, False)


def test_every_route_is_described(client: Client, tmp_path: Path) -> None:
    described = {(method, path) for method, path, _ in operations()}
    routes = {
        (route.method, route.rule.replace(app.NAME, "{name}").replace("<identifier>", "{identifier}"))
        for route in application(tmp_path).routes
        if route.rule not in web_page.PATHS
    }

    assert routes == described
    assert json.loads(client.request("GET", "/openapi.json").text) == DESCRIBED
