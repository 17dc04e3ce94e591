"""The query of the usage page, from its URL."""

from starlette.datastructures import QueryParams

from amberflo_workflows.console.usage_query import UsageQuery


def test_each_line_and_each_repetition_is_a_value() -> None:
    params = QueryParams([("tenant", "Acme, Inc.\r\n b \r\n"), ("tenant", "c"), ("filter.region", "eu,us\nus")])
    expected = {"tenantId": ["Acme, Inc.", "b", "c"], "filter.region": ["eu,us", "us"]}
    assert UsageQuery.parse(params).api_parameters() == expected


def test_an_empty_field_of_the_form_is_no_filter() -> None:
    params = QueryParams([("tenant", " \r\n"), ("filter.region", ""), ("filter.", "x"), ("group", ""), ("group", "a")])
    assert UsageQuery.parse(params).api_parameters() == {"groupBy": ["a"]}
