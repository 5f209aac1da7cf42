"""What made the files in ``data/`` that are not results of ``mpcl evaluate``."""
