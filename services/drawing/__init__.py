"""Pictures that are the same everywhere: on pages, on the command line and in the documentation."""
