"""Networks used by two systems or more."""
