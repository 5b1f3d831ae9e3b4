"""The shared vocabulary of Skyledger, and what a Python user imports."""

__version__ = "0.1.0"
