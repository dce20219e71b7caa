"""Systems that put out fields."""
