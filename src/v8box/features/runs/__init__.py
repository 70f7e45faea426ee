"""What workers did and said: runs and lines found, shown, exported, and followed as they come."""
