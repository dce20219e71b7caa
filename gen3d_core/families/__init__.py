"""Losses and samplers of the families of generative models, and nothing else."""
