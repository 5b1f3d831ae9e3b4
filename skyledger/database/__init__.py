"""The database itself: its server, its schema, its published forms."""
