# loganon as a container: nothing but Python, the locked dependencies and the package; it runs as user 65532, needs no
# writable file system but its volumes, and no network.
#
#   docker build -t loganon .
#   docker run --read-only --network none -v logs:/var/log/nginx:ro -v store:/var/lib/loganon loganon

FROM python:3.13-slim AS build
RUN python -m venv /opt/loganon
COPY pyproject.toml requirements.lock README.md LICENSE /src/
COPY src /src/src
COPY configs /src/configs
WORKDIR /src
# The lock names what development needs, too: it only bounds the versions here.
RUN sed -e 's/ \\$//' -e '/^ *--hash/d' -e '/^ *#/d' requirements.lock > /tmp/constraints.txt \
 && /opt/loganon/bin/pip install --no-cache-dir --constraint /tmp/constraints.txt '.[s3,report,gzip]' \
 && rm -rf /opt/loganon/bin/pip* /opt/loganon/lib/python3.13/site-packages/pip*

FROM python:3.13-slim
RUN groupadd --gid 65532 loganon && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent loganon \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/loganon
COPY --from=build /opt/loganon /opt/loganon
ENV PATH=/opt/loganon/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    LOGANON_STORE=/var/lib/loganon/store \
    LOGANON_KEY_FILE=/var/lib/loganon/key \
    LOGANON_FOLLOW_LISTEN=127.0.0.1:9464
USER 65532:65532
VOLUME /var/lib/loganon
# Lives as long as its loop turns; see docs/follow.md.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["loganon"]
CMD ["follow", "/var/log/nginx/*access.log"]
