"""The five components of MPCL, one file each, and the network that joins them."""
