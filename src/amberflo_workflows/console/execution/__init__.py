"""One execution, made ready for its page: what is shown of it, free of HTML."""
