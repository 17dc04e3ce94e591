"""Backfill usage from files: sent from this machine, or by the workflow ``backfill_usage`` if the file is on S3."""
