"""Pixels to measurements: no database here."""
