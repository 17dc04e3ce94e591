"""Usage out of files: the steps of ``backfill_usage``, and what the command line shares with them."""
