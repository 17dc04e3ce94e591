"""The only code that calls Amberflo: its errors, its API key, the HTTP client, and its customers."""
