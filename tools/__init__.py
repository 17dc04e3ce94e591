"""Generates files of this repository: the OpenAPI document, the pictures and the screenshot. Not part of the package."""
