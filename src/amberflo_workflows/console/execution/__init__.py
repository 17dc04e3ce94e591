"""The data of an execution's page: graph, timeline, usage, event history and commands, without HTML."""
