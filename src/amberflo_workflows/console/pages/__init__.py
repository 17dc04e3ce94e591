"""The pages, one module each, with their ``ROUTES`` and the functions that serve them."""
