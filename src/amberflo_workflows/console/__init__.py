"""The console: a web UI for the workflows, with server-rendered pages over the regular AWS APIs."""
