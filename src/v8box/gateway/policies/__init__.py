"""What is decided about a request before a sandbox is woken. `order` lists the policies in the order they are asked."""
