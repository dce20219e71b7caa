"""The systems: one file per paper, on the shelf of what it puts out. Found by being here."""
