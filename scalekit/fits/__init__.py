"""Laws fitted to runs: each function returns a Fit, or what a Fit knows of itself."""
