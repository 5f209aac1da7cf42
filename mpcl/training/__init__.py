"""The one engine that trains networks, many at once."""
