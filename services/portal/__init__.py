"""The portal: pages about the archive as it was known at an instant."""
