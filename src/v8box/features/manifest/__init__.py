"""What editors need to know of manifests."""
