"""How facts are told to people: one file for Markdown, one for the shell."""
