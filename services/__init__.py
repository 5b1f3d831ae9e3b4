"""Answers: queries, pictures and, later, TAP, alerts and the portal."""
