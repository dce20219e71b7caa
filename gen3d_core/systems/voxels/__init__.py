"""Systems that put out voxels."""
