"""A playlist as text tells it."""

import dataclasses


@dataclasses.dataclass
class Segment:
    uri: str
    seconds: float
    discontinuity: bool


@dataclasses.dataclass
class Playlist:
    media_sequence: int
    target_seconds: int
    ended: bool
    segments: list
    discontinuity_sequence: int = 0

    @property
    def uris(self) -> list:
        return [segment.uri for segment in self.segments]

    @property
    def seconds(self) -> float:
        return sum(segment.seconds for segment in self.segments)


def parse(text: str) -> Playlist:
    """Reads a media playlist and holds it to RFC 8216 where a player would."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U", text
    playlist = Playlist(0, 0, False, [])
    seconds, discontinuity = None, False
    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MEDIA-SEQUENCE":
            playlist.media_sequence = int(value)
        elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
            playlist.discontinuity_sequence = int(value)
        elif tag == "#EXT-X-TARGETDURATION":
            playlist.target_seconds = int(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity = True
        elif tag == "#EXT-X-ENDLIST":
            playlist.ended = True
        elif tag == "#EXTINF":
            seconds = float(value.split(",")[0])
        elif line and not line.startswith("#"):
            assert seconds is not None, f"a segment without EXTINF: {line}"
            playlist.segments.append(Segment(line, seconds, discontinuity))
            seconds, discontinuity = None, False
    for segment in playlist.segments:
        assert round(segment.seconds) <= playlist.target_seconds, text
    return playlist
