"""The console: what the workflows do, in a browser. Server-rendered pages over the ordinary AWS APIs."""
