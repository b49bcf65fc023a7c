"""Media made and inspected with ffmpeg."""

import contextlib
import dataclasses
import json
import pathlib
import re
import subprocess
import time

FRAME_RATE = 25
WIDTH, HEIGHT = 640, 360
SAMPLE_RATE = 44100


def generated(seconds: float, width: int = WIDTH, height: int = HEIGHT, rate: int = FRAME_RATE, keyint: int = 50) -> list:
    """ffmpeg arguments: a test picture and a tone as H.264 with B-frames, a key frame every `keyint`, and AAC."""
    return [
        "-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate={rate}:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate={SAMPLE_RATE}:duration={seconds}",
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "2", "-b:v", "800k",
        "-g", str(keyint), "-keyint_min", str(keyint), "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "1",
        "-c:a", "aac", "-b:a", "96k", "-ac", "2",
    ]


def make_sample(path: pathlib.Path, seconds: float = 6, **picture) -> pathlib.Path:
    """A file of generated media that tests publish without encoding again."""
    _run(["ffmpeg", "-v", "error", "-y", *generated(seconds, **picture), str(path)])
    return path


@dataclasses.dataclass
class Sent:
    """What a finished ffmpeg says that it muxed, and its log."""

    video_packets: int
    audio_packets: int
    log: str


class Publisher:
    """An ffmpeg that publishes in the background."""

    def __init__(self, url: str, source: list, options: tuple = (), log: pathlib.Path | None = None):
        self.started = time.monotonic()
        self._log_file = log.open("w+") if log else subprocess.PIPE
        self.process = subprocess.Popen(
            ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose", *source, *options, "-f", "flv", url],
            stdout=subprocess.DEVNULL, stderr=self._log_file, text=True,
        )

    def running(self) -> bool:
        return self.process.poll() is None

    def finish(self, seconds: float) -> Sent:
        """Waits for the end; a publish that ffmpeg calls failed fails."""
        log = self.wait(seconds)
        assert self.process.returncode == 0, f"ffmpeg ended with {self.process.returncode}:\n{log[-3000:]}"
        return Sent(_muxed(log, "video"), _muxed(log, "audio"), log)

    def wait(self, seconds: float) -> str:
        """Waits for any end; gives the log."""
        _, log = self.process.communicate(timeout=seconds)
        if log is None:
            self._log_file.seek(0)
            log = self._log_file.read()
        return log

    def end(self):
        """Ends the publish in order, as `q` does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        self.wait(20)

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def publish_live(url: str, seconds: float, **picture) -> Publisher:
    """Encodes and publishes in real time."""
    # `-re` is an option of each input.
    source = []
    for argument in generated(seconds, **picture):
        source += ["-re", "-f"] if argument == "-f" else [argument]
    return Publisher(url, source)


def publish_file(url: str, path: pathlib.Path, real_time: bool = False, loop: bool = False, options: tuple = ()) -> Publisher:
    """Publishes a file without encoding."""
    source = [*(["-re"] if real_time else []), *(["-stream_loop", "-1"] if loop else []), "-i", str(path), "-c", "copy"]
    return Publisher(url, source, options)


def _muxed(log: str, kind: str) -> int:
    """Packets of a stream from ffmpeg's closing words: `Output stream #0:0 (video): 750 packets muxed (…)`."""
    found = re.findall(rf"Output stream #\d+:\d+ \({kind}\):.*?(\d+) packets muxed", log, re.DOTALL)
    return int(found[-1]) if found else 0


def decode(source: str | pathlib.Path, *before: str) -> str:
    """Decodes everything; gives what ffmpeg warns of, which should be nothing."""
    return _run(["ffmpeg", "-v", "warning", "-nostdin", *before, "-i", str(source), "-map", "0",
                 # The input's own time base: frames are not rounded to a rate that a live source does not keep exactly.
                 "-enc_time_base", "-1", "-f", "null", "-"]).stderr


def streams(source: str | pathlib.Path, *before: str) -> dict:
    """ffprobe's streams by type, with their packets and decoded frames counted."""
    output = _run(
        ["ffprobe", "-v", "error", *before, "-count_packets", "-count_frames", "-show_streams", "-of", "json", str(source)]
    ).stdout
    return {stream["codec_type"]: stream for stream in json.loads(output)["streams"]}


def frame_hashes(source: str | pathlib.Path, kind: str) -> list:
    """An MD5 of each decoded frame of the first stream of a kind (`v`, `a`)."""
    text = _run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", str(source), "-map", f"0:{kind}:0", "-f", "framemd5", "-"]
    ).stdout
    return [line.rsplit(",", 1)[-1].strip() for line in text.splitlines() if line and not line.startswith("#")]


def packet_times(source: str | pathlib.Path, kind: str) -> list:
    """(dts, pts) in seconds of each packet of the first stream of a kind."""
    text = _run(
        ["ffprobe", "-v", "error", "-select_streams", f"{kind}:0", "-show_entries", "packet=dts_time,pts_time",
         "-of", "csv=p=0", str(source)]
    ).stdout
    # ffprobe prints fields in its own order, presentation time first.
    pairs = (line.rstrip(",").split(",") for line in text.splitlines() if line)
    return [(float(dts), float(pts)) for pts, dts in pairs]


def continuity_faults(transport_stream: bytes) -> list:
    """Packets whose continuity counter does not follow its PID's last (ISO/IEC 13818-1, 2.4.3.3)."""
    faults, last = [], {}
    assert len(transport_stream) % 188 == 0, "a transport stream is whole packets"
    for number in range(len(transport_stream) // 188):
        packet = transport_stream[number * 188 : number * 188 + 188]
        assert packet[0] == 0x47, f"packet {number} does not begin with the sync byte"
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        counter, has_payload = packet[3] & 0x0F, bool(packet[3] & 0x10)
        if pid == 0x1FFF:
            continue
        expected = (last[pid] + has_payload) % 16 if pid in last else counter
        if counter != expected:
            faults.append(f"packet {number}, PID {pid:#x}: {counter} after {last[pid]}")
        last[pid] = counter
    return faults


def _run(command: list) -> subprocess.CompletedProcess:
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stderr[-3000:]}"
    return result
