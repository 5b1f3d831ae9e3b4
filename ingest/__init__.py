"""Workers that carry measurements into the database: stage, validate, publish."""
