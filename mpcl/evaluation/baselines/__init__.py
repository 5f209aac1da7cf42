"""The peers that MPCL is measured beside: classical learners, plain networks, and our readings of two papers."""
