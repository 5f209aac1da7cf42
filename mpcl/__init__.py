"""MPCL: from physiological and behavioural signals to a distribution over emotions.

An independent implementation of *Memory-guided Prototypical Co-occurrence Learning*
(arXiv 2602.20530). Importing this package loads nothing heavy and reads no file.
"""

__version__ = "0.1.0"
