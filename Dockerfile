# The edge as an image. It needs the engine's socket to deploy containers, host
# networking to reach 127.0.0.1:<slot port>, and a host that lets everybody bind
# ports 80 and 443 (sysctl net.ipv4.ip_unprivileged_port_start=80):
#
#   docker run -d --name bluegreen --restart unless-stopped --network host \
#     --user 65532:$(stat -c %g /var/run/docker.sock) \
#     -v /var/run/docker.sock:/var/run/docker.sock -v /etc/bluegreen:/etc/bluegreen:ro \
#     -v bluegreen-state:/var/lib/bluegreen -v bluegreen-run:/run/bluegreen \
#     -v bluegreen-logs:/var/log bluegreen
FROM golang:1.26.11-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/bluegreen ./cmd/bluegreen \
 && install -d -o 65532 -g 65532 -m 0700 /out/state \
 && install -d -o 65532 -g 65532 -m 0750 /out/run /out/log

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /out/bluegreen /usr/local/bin/bluegreen
COPY --from=build --chown=65532:65532 /out/state /var/lib/bluegreen
COPY --from=build --chown=65532:65532 /out/run /run/bluegreen
COPY --from=build --chown=65532:65532 /out/log /var/log
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/bluegreen"]
CMD ["serve", "--config", "/etc/bluegreen/bluegreen.yaml"]
