"""Metrics: what is counted of every run, and what is kept of it for charts."""
