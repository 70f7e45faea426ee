"""API keys: what opens workers whose manifest asks for a key. Made, listed, changed, rotated, deleted over the API."""
