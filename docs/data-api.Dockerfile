# docker build -f docs/data-api.Dockerfile -t zetra-data-api .
# docker run --rm -p 127.0.0.1:7380:7380 -e MONGODB_URI -e DATA_API_KEYS zetra-data-api --ensure-indexes zetra
#
# Put TLS in front of it (a reverse proxy, a Cloudflare tunnel), or mount a certificate and give
# --tls-cert and --tls-key.

FROM rust:1.95.0-bookworm AS build
# The image's own compiler: rust-toolchain.toml would have rustup fetch what the server does not need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN cargo build --locked --profile server --package zetra-data-api

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/server/zetra-data-api /usr/local/bin/zetra-data-api
ENV DATA_API_LISTEN=0.0.0.0:7380
EXPOSE 7380
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/zetra-data-api"]
