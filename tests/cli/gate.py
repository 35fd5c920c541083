"""A second (third ...) address of a real node, which can be cut off, silenced, or made to lose answers: a TCP relay."""
import socket
import threading

from kit import own_host

_happened = threading.Condition()


def tell():
    """Something happened that a test may wait for."""
    with _happened:
        _happened.notify_all()


def wait_for(condition, what, seconds=30):
    """Until the condition holds, looked at whenever something is told; returns what it gave."""
    with _happened:
        found = _happened.wait_for(condition, seconds)
    if not found:
        raise AssertionError(f"waited {seconds:g} s for {what}")
    return found


class Gate:
    """Relays to `target`. Its modes: "open"; "silent": takes connections and bytes, passes nothing on; "mute": passes on what
    clients say, drops the answers. close() refuses and breaks all, open() listens again."""

    def __init__(self, target):
        self.target = target
        self.mode = "open"
        self.passed = 0  # connections that were relayed to the target
        self.taken = 0
        self.pairs = []
        self.address = (own_host(), 0)
        self.open()

    @property
    def url(self):
        return "%s:%d" % self.address

    def open(self):
        self.mode = "open"
        self.listener = socket.create_server(self.address)
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        self.mode = "closed"
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()

    def cut(self):
        """Breaks all connections that there are."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            _shut(*pair)

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.taken += 1
            tell()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(self.target)
        except OSError:
            return client.close()
        self.pairs.append((client, server))
        self.passed += self.mode == "open"
        tell()
        threading.Thread(target=self._relay, args=(server, client, ("open",)), daemon=True).start()
        self._relay(client, server, ("open", "mute"))

    def _relay(self, source, sink, modes):
        try:
            while data := source.recv(65536):
                if self.mode in modes:
                    sink.sendall(hiding(data))
        except OSError:
            pass
        _shut(source, sink)


def hiding(data):
    """Who asks for the members gets an error: else clients would find the way around the gate."""
    return data.replace(b"MEMBERS", b"HIDDEN_")


def _shut(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
