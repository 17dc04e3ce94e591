"""The only code that talks to Amberflo: its errors, its API key, its HTTP client."""
