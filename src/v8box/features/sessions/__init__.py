"""Signing in and out, who one is, and one's sessions."""
