# The image where there is a container engine: docker build -t innkeeper:0.1.0 .
# Without one: make image. Both have one static binary and certificate authorities in them, and nothing else; here the
# authorities are Debian's.
ARG RUST=1.95.0-trixie
ARG VERSION=0.1.0

FROM rust:${RUST} AS build
ARG VERSION
WORKDIR /innkeeper
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/innkeeper/target \
    hack/image --binary /usr/local/bin/innkeeper
# The label below cannot be read from Cargo.toml, so it is compared.
RUN test "$(innkeeper --version)" = "innkeeper ${VERSION}" && chmod 0555 /usr/local/bin/innkeeper

FROM scratch
ARG VERSION
LABEL org.opencontainers.image.title="innkeeper" \
      org.opencontainers.image.description="Sells hotel rooms on Kubernetes: Rooms, Reservations, and the controllers that keep both honest" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/innkeeper /innkeeper
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/innkeeper"]
