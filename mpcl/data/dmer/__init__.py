"""DMER from its official files; :func:`mpcl.data.dmer.load.open_dmer` is the way in."""
