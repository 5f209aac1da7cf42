"""The network of MPCL: its components, one file each, and what joins them.

All of them ask the associative memory of :mod:`mpcl.model.memory`, and no other.
"""
