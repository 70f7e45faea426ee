"""Long work, as the admin API shows it. What runs it is `api/operations`."""
