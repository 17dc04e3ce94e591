import pytest

from amberflo_workflows.core.response import MAX_INLINE_BYTES
from amberflo_workflows.entrypoints.api_response import ApiResponse
from amberflo_workflows.entrypoints.http_encoding import encode

LARGE = ApiResponse(200, {"data": "x" * MAX_INLINE_BYTES})


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip ; q = 1.0", True),
        ("gzip;q=high", True),
        ("*", True),
        ("identity;q=0.5, *;q=0.1", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("GZIP;Q=0, *;q=1", False),
        ("*;q=0", False),
    ],
)
def test_a_large_response_is_compressed_if_the_caller_accepts_gzip(accepted: str, is_compressed: bool) -> None:
    response = encode(LARGE, accepted)
    assert (response["headers"].get("Content-Encoding") == "gzip", response["isBase64Encoded"]) == (
        is_compressed,
        is_compressed,
    )
