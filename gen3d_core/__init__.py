"""Gen3D's engine: generative models of 3D shapes in PyTorch. It knows nothing of any user interface.

Importing this package imports neither torch nor NumPy; Blender reads :mod:`.protocol` and :mod:`.cards` from it.
"""

__version__ = "0.1.0"
