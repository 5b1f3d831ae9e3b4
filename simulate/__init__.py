"""The synthetic survey: raw snaps, calibration frames, catalogues and their truth."""
