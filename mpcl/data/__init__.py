"""Official files in, one labelled :class:`xarray.Dataset` out."""
