"""The interface as it describes itself: whatever is asked, the server does not fail."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

HURRIED = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


@pytest.fixture(scope="module")
def schema(filled, serving):
    with serving(filled.path, "--max-upload", "1") as server:
        yield schemathesis.openapi.from_url(f"{server.url}api/openapi.json")
    assert "Traceback" not in server.errors, server.errors


def test_nothing_that_is_asked_is_an_error_of_the_server(schema):
    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) > 20

    def ask(case):
        answer = case.call(timeout=60)
        case.validate_response(answer, checks=[not_a_server_error])

    for operation in operations:
        HURRIED(_given(operation, ask))()


def _given(operation, ask):
    return given(case=operation.as_strategy())(lambda case: ask(case))


def test_every_path_of_the_document_is_described(schema):
    document = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    for path in schema.raw_schema["paths"]:
        assert path.partition("/{name")[0] in document, path
