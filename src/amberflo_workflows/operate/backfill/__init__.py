"""Usage out of files, from the command line: sent from here, or by ``backfill_usage`` if the file is on S3."""
