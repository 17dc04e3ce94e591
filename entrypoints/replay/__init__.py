"""Send usage of the ledger again: a step of ``replay_usage``."""
