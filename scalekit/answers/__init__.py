"""What follows from fits, runs and budgets: decisions, comparisons, forecasts."""
