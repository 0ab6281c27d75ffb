"""Laws from their formulas: each function returns a Law."""
