"""A minimal RTMP client that asks to publish and reports the answer.

It puts app, tcUrl and stream name on the wire exactly as they are given, which no encoder allows, and can leave out
the commands that some encoders leave out. It reads only as much RTMP as a server's answers to a publish need.
"""

import dataclasses
import os
import socket
import struct

CHUNK_BYTES = 4096
COMMAND_AMF0 = 20


@dataclasses.dataclass
class Answer:
    """The `onStatus` of a publish (level, code, description), and whether the server then closed."""

    level: str
    code: str
    description: str
    closed: bool

    @property
    def accepted(self) -> bool:
        return self.code == "NetStream.Publish.Start"


class Probe:
    def __init__(self, port: int, app: str, tc_url: str, seconds: float = 15, tls_context=None):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        if tls_context:
            self._socket = tls_context.wrap_socket(self._socket, server_hostname="localhost")
        self._reader = _ChunkReader(self._socket)
        self._handshake()
        self._send(2, 1, 0, struct.pack(">I", CHUNK_BYTES))
        self._command("connect", 1, {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0 (compatible; probe)", "tcUrl": tc_url})

    def publish(self, name: str, release: bool = True) -> Answer:
        """Goes through to `publish` and waits for `onStatus`."""
        if release:
            self._command("releaseStream", 2, None, name)
            self._command("FCPublish", 3, None, name)
        self._command("createStream", 4, None)
        self._command("publish", 5, None, name, "live", stream=1)
        while True:
            message = self._reader.message()
            if message is None:
                return Answer("", "", "closed without onStatus", True)
            kind, body = message
            if kind != COMMAND_AMF0:
                continue
            values = _decode_all(body)
            if values[0] == "_error":
                details = values[3]
                return Answer(details.get("level", ""), details.get("code", ""), details.get("description", ""), self._closes())
            if values[0] == "onStatus":
                details = values[3]
                accepted = details["level"] != "error"
                return Answer(details["level"], details["code"], details["description"], not accepted and self._closes())

    def send_tag(self, kind: int, millis: int, body: bytes):
        """One audio (8) or video (9) message of a publish that was accepted."""
        self._send(4 + kind % 2, kind, 1, body, millis)

    def unpublish(self):
        """Ends the publish and waits until the server closes, which it does when everything is stored."""
        self._command("deleteStream", 6, None, 1.0)
        self._socket.shutdown(socket.SHUT_WR)
        assert self._closes()

    def wait_closed(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        return self._closes()

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _closes(self) -> bool:
        try:
            while self._reader.message() is not None:
                pass
            return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def _handshake(self):
        c1 = struct.pack(">II", 0, 0) + os.urandom(1528)
        self._socket.sendall(b"\x03" + c1)
        answer = self._reader.exactly(1 + 1536 + 1536)
        assert answer and answer[0] == 3, f"not an RTMP handshake: {answer!r:.60}"
        self._socket.sendall(answer[1 : 1 + 1536])

    def _command(self, name: str, transaction: int, *values, stream: int = 0):
        body = b"".join(_encode(value) for value in (name, float(transaction), *values))
        self._send(3, COMMAND_AMF0, stream, body)

    def _send(self, chunk_stream: int, kind: int, stream: int, body: bytes, millis: int = 0):
        header = struct.pack(">B", chunk_stream) + millis.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind]) + struct.pack("<I", stream)
        out = header + body[:CHUNK_BYTES]
        for at in range(CHUNK_BYTES, len(body), CHUNK_BYTES):
            out += bytes([0xC0 | chunk_stream]) + body[at : at + CHUNK_BYTES]
        self._socket.sendall(out)


class _ChunkReader:
    """Chunks to messages (RTMP 1.0, section 5.3.1)."""

    def __init__(self, stream: socket.socket):
        self._stream = stream
        self._chunk_bytes = 128
        self._headers = {}
        self._bodies = {}

    def exactly(self, count: int):
        data = bytearray()
        while len(data) < count:
            part = self._stream.recv(count - len(data))
            if not part:
                return None
            data += part
        return bytes(data)

    def message(self):
        """(type, body) of the next message, None at the end of the connection."""
        while True:
            first = self.exactly(1)
            if first is None:
                return None
            form, chunk_stream = first[0] >> 6, first[0] & 0x3F
            if chunk_stream < 2:
                raise AssertionError("the server uses a chunk stream id beyond 63")
            length, kind = self._headers.get(chunk_stream, (0, 0))
            extended = False
            if form < 3:
                header = self.exactly((11, 7, 3)[form])
                extended = header[:3] == b"\xff\xff\xff"
                if form < 2:
                    length, kind = int.from_bytes(header[3:6], "big"), header[6]
                self._headers[chunk_stream] = (length, kind)
            if extended:
                self.exactly(4)
            body = self._bodies.setdefault(chunk_stream, bytearray())
            body += self.exactly(min(self._chunk_bytes, length - len(body)))
            if len(body) < length:
                continue
            del self._bodies[chunk_stream]
            if kind == 1:
                self._chunk_bytes = int.from_bytes(body[:4], "big")
            else:
                return kind, bytes(body)


def _encode(value) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, float):
        return b"\x00" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\x02" + _text(value)
    if isinstance(value, dict):
        return b"\x03" + b"".join(_text(key) + _encode(one) for key, one in value.items()) + b"\0\0\x09"
    raise TypeError(value)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _decode_all(data: bytes) -> list:
    values, at = [], 0
    while at < len(data):
        value, at = _decode(data, at)
        values.append(value)
    return values


def _decode(data: bytes, at: int):
    marker, at = data[at], at + 1
    if marker == 0x00:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if marker == 0x01:
        return bool(data[at]), at + 1
    if marker == 0x02:
        return _decode_text(data, at)
    if marker in (0x05, 0x06):
        return None, at
    if marker in (0x03, 0x08):
        at += 4 if marker == 0x08 else 0
        result = {}
        while data[at : at + 3] != b"\0\0\x09":
            key, at = _decode_text(data, at)
            result[key], at = _decode(data, at)
        return result, at + 3
    raise AssertionError(f"the probe does not read AMF0 marker {marker:#x}")


def _decode_text(data: bytes, at: int):
    length = struct.unpack_from(">H", data, at)[0]
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length
