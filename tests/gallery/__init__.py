"""Pictures of every page of the console, with problems that can be detected: ``make gallery``."""
