"""The Lambdas that start workflows: ``api`` for HTTP calls, ``ingest_queue`` for usage events."""
