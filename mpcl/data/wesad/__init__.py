"""WESAD from its official files: :func:`mpcl.data.wesad.load.load` is the way in."""
