"""Simulated people, and files in the forms of real data sets about them."""
