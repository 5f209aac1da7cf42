"""How the book is made: run, kept fresh, rendered, printed. Not part of the package."""
