"""Loopback addresses that nobody else takes. The system picks ports for everybody else on 127.0.0.1: one that was free a moment
ago, or whose owner is down for a restart, may be another's by now."""
import os
import socket


def own_host():
    """A loopback host that no other test uses."""
    return ".".join(["127", *(str(1 + byte % 254) for byte in os.urandom(3))])


def own_addresses(count):
    """Free ports of a host of their own: they stay free until their owner takes them."""
    host = own_host()
    listeners = [socket.create_server((host, 0)) for _ in range(count)]
    addresses = [f"{host}:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return addresses
