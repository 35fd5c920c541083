"""The register (tests/fault/register.py) as its clients see it."""
import socket


class Register:
    """One thread's connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address, self.file = (host, int(port)), None

    def ask(self, *words):
        """The words of its answer, or None where it is not known whether it was done."""
        try:
            if self.file is None:
                with socket.create_connection(self.address, timeout=5) as connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.file = connection.makefile("rwb")
            self.file.write(" ".join(map(str, words)).encode() + b"\n")
            self.file.flush()
            line = self.file.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            return None
        return line.decode().split()

    def close(self):
        if self.file is not None:
            try:
                self.file.close()
            except OSError:
                pass  # what was not sent is not sent
            self.file = None
