"""Usage that was not counted, in the rejected table and the dead-letter queues, and how to redrive or drop it.

An item's status: ``rejected`` → ``redriving`` → ``redriven``, or ``rejected`` again with a new reason; or ``dropped``.
A ``redriving`` item may have been counted already, so only the identical usage is sent again, which counts once.
Nothing is deleted, and each step is recorded in the item's history. Every change is conditional on the item being as
it was read, so that two people cannot overwrite each other's changes.
"""
