"""The engine's own Python: how it is planned, downloaded, made, tried and deleted. Nothing here knows Blender."""
