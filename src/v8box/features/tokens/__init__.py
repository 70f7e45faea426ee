"""Personal tokens, with which programs sign in."""
