"""A server that answers by a script: for what no real server does."""
import socket
import threading

HELLO = b"%1\r\n+server\r\n+redis\r\n"


class FakeServer:
    """Accepts connections and gives each to `serve(connection)`, where connection.ask() reads one command."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.serve = serve
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        except OSError:
            pass
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(Asked(peer))
            threading.Thread(target=self._run, args=(self.connections[-1],), daemon=True).start()

    def _run(self, connection):
        try:
            self.serve(connection)
        except (OSError, EOFError):
            pass
        connection.close()


class Asked:
    def __init__(self, peer):
        self.socket = peer
        self.file = peer.makefile("rb")

    def ask(self):
        """The next command, as a list of texts."""
        head = self.file.readline()
        if not head:
            raise EOFError
        words = []
        for _ in range(int(head[1:])):
            size = int(self.file.readline()[1:])
            words.append(self.file.read(size + 2)[:-2].decode())
        return words

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data)

    def greet(self):
        """Answers HELLO."""
        assert self.ask()[0] == "HELLO"
        self.say(HELLO)


def bulk(text):
    data = text.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def mapping(**fields):
    out = b"%%%d\r\n" % len(fields)
    for key, value in fields.items():
        out += bulk(key) + (b"_\r\n" if value is None else b":%d\r\n" % value if isinstance(value, int) else bulk(value))
    return out
