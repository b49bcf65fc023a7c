"""What every suite shares: the server under test, media made and inspected with ffmpeg, a minimal RTMP client."""
