# The server alone, on a slim Debian, as a user without rights.
#   docker build --tag livebucket .
#   docker run --publish 9000:9000 --publish 1935:1935 --volume livebucket:/data livebucket

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin livebucket

FROM debian:bookworm-slim
# The certificates by which an https callback is trusted.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin livebucket \
    && install --directory --owner livebucket --group livebucket --mode 0700 /data
COPY --from=build /source/target/release/livebucket /usr/local/bin/livebucket

USER livebucket
WORKDIR /data
VOLUME /data

ENV LIVEBUCKET_DATA=/data
# HTTP and RTMP; RTMP alone.
EXPOSE 9000 1935

# SIGTERM lets publishers' last fragments be stored; give it the time: `docker stop --time 30`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["livebucket", "health"]

ENTRYPOINT ["livebucket"]
CMD ["serve"]
