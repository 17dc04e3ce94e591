"""Send usage from files: a step of ``backfill_usage``, and what the command line shares with it."""
