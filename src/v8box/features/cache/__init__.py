"""What workers keep by `cache` and in KV namespaces, for the people of a project: looking, changing, deleting."""
