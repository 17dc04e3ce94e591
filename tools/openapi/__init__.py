"""Generates the OpenAPI document of the HTTP API from the table of operations and from the types of the requests."""
