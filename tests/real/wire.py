"""A Redis protocol client of a page, for tests that need every byte and every push (both RESP2 and RESP3)."""
import collections
import socket


class ErrorReply(Exception):
    """A `-CODE text` reply."""

    @property
    def code(self):
        return str(self).split(" ", 1)[0]


class Closed(Exception):
    """The server closed the connection."""


Push = collections.namedtuple("Push", "items")


def encode(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Connection:
    """One connection. Blocking, with a time limit on each read. Pushes that come between replies wait in `pushes`."""

    def __init__(self, address, timeout=15.0, source=None, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = bytearray()
        self.pushes = collections.deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *words):
        self.socket.sendall(encode(*words))

    def send_raw(self, data):
        self.socket.sendall(data)

    def do(self, *words):
        """Sends a command and returns its reply; an error reply is raised."""
        self.send(*words)
        return self.reply()

    def error(self, *words):
        """Sends a command that must be refused; returns the refusal's text."""
        try:
            answer = self.do(*words)
        except ErrorReply as refused:
            return str(refused)
        raise AssertionError(f"{words[:4]} was answered {answer!r} where an error was due")

    def pipeline(self, commands):
        """Sends all at once, returns all replies; an error reply stands in its place as ErrorReply."""
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.reply_or_error() for _ in commands]

    def reply_or_error(self):
        try:
            return self.reply()
        except ErrorReply as refused:
            return refused

    def reply(self):
        while True:
            value = self._value()
            if not isinstance(value, Push):
                if isinstance(value, ErrorReply):
                    raise value
                return value
            self.pushes.append(value)

    def push(self):
        """The next push, waiting for it if none has come yet."""
        if self.pushes:
            return self.pushes.popleft().items
        value = self._value()
        assert isinstance(value, Push), f"a reply came where a push was due: {value!r}"
        return value.items

    def closed_by_server(self):
        """Whether the server closes the connection (reading away what it still sends)."""
        try:
            while True:
                self._value()
        except (Closed, ConnectionResetError):
            return True

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed("the server closed the connection")
        self.buffer += data

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(self.buffer[:end])
                del self.buffer[:end + 2]
                return line
            self._more()

    def _bytes(self, size):
        while len(self.buffer) < size + 2:
            self._more()
        data = bytes(self.buffer[:size])
        del self.buffer[:size + 2]
        return data

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ErrorReply(rest.decode())
        if kind in (b":", b"("):
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._bytes(int(rest)).decode("utf-8", "surrogateescape")
        if kind == b"=":
            return self._bytes(int(rest))[4:].decode("utf-8", "surrogateescape")
        if kind in (b"*", b"~"):
            return None if rest == b"-1" else [self._value() for _ in range(int(rest))]
        if kind == b">":
            return Push([self._value() for _ in range(int(rest))])
        if kind == b"%":
            return {self._value(): self._value() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        raise AssertionError(f"no RESP type: {line!r}")


def as_map(value):
    """A map of RESP3, or the flat list that stands for it in RESP2."""
    if isinstance(value, dict):
        return value
    return dict(zip(value[::2], value[1::2]))
