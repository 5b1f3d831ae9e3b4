"""TAP 1.1 over virtual databases: every instant is a complete service (design section 10)."""
