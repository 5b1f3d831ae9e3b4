"""TAP 1.1 over virtual databases: every instant is a complete service (design sections 4 and 10)."""
