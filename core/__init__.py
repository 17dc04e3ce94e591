"""Shared by tasks, entry points and the operator's library: what a usage, a meter and a tenant are, and AWS clients."""
