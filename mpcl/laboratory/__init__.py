"""From the book to the laboratory: kept models, new recordings, whole grids of runs."""
