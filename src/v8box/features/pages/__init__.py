"""Static sites: making a release of files, and everything people do with sites. Serving them is in `gateway/pages`."""
