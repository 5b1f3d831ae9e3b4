"""The synthetic survey: raw frames with known truth, from a seed and a tier of configuration."""
