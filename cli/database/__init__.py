"""Commands of ``skyledger db`` that fill a file of their own."""
