"""Instruments: one TOML file each, and a reader where its files are unlike the archive's."""
