"""Generates files of this repository: the OpenAPI document, pictures and the screenshot. Not part of the package."""
