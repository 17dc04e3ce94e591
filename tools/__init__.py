"""Makes files of this repository: the OpenAPI document and the diagrams. Not part of the package."""
