"""The peers of MPCL: classical learners, networks, and our readings of two papers."""
