"""Data: from meshes and from the parametric catalogue to what models learn from."""
