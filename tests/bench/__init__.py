"""``make bench``: measurements, each with a reference from the same run to compare it with. Not tests."""
