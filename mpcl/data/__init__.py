"""Official files in, one labelled :class:`xarray.Dataset` out: the contract, labels, features and data sets."""
