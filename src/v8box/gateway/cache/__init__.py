"""The response cache: a shared cache by RFC 9111 between the policies and the pool. `cache` is where requests enter."""
