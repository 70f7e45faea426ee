"""What was counted, for charts and for Prometheus."""
