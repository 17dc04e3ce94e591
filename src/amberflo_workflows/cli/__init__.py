"""The command ``metering``: a file for each command or command group, and what they share."""
