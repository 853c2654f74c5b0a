"""The version of nnmnist."""

__version__ = "0.1.0"
