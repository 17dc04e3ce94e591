"""The demo of ``metering demo``: meters, usage events, totals, a cancellation, and totals again."""
