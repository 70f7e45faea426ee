"""Users, their roles, and the members of projects."""
