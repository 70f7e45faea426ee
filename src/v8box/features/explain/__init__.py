"""What would answer a URL, and under which rules: from host and path to the version and its policies."""
