"""The main job, run in front of the user: meters, usage events, totals, a cancellation, totals again."""
