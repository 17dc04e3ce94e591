"""The commands of ``metering``, a file for each group, and what they have in common in ``shared``."""
