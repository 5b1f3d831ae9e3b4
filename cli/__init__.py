"""The ``skyledger`` command, one file per group of commands."""
