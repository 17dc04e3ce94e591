"""Usage that was not counted: the rejected table and the dead-letter queue, and the ways back.

An item's status: ``rejected`` → ``redriving`` → ``redriven``, or ``rejected`` again with a new reason; or ``dropped``.
While it is ``redriving`` it may have been counted already, so what is sent again then is the very same usage, and it
counts once. Nothing is ever deleted; each step is in the item's history. Every change is made on the condition that
the item is as it was read, so two people cannot undo each other's work.
"""
