"""Metrics, floors, protocols and results files."""
