"""The response cache from outside: what it holds and how it answers, and throwing things out of it."""
