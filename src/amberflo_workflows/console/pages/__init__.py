"""The pages, one file each: ``ROUTES``, and the functions that serve them."""
