# The server, for `docker build --tag bedtape .`: docs/how-to/ci.md says how it is used.
# A release names the base image's digest: --build-arg DIGEST=@sha256:… (docs/how-to/release.md).
ARG DIGEST=
FROM python:3.13-slim${DIGEST} AS build
WORKDIR /source
COPY . .
# The versions and hashes of .ci/locks, and nothing else. With cryptography, for `replay --tls`.
RUN python -m venv --without-pip /opt/bedtape \
 && pip --python /opt/bedtape/bin/python install --no-cache-dir --require-hashes -r .ci/locks/build.txt -r .ci/locks/server.txt \
 && pip --python /opt/bedtape/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim${DIGEST}
COPY --from=build /opt/bedtape /opt/bedtape
# A cache of parsed cassettes would die with the container.
ENV PATH=/opt/bedtape/bin:$PATH BEDTAPE_CACHE_DIR=
# By number, so that Kubernetes' runAsNonRoot can see it; it writes nothing, so it needs no home.
USER 10001:10001
# `replay` serves the cassettes/ of its folder: mount them at /cassettes. Without any it serves the samples that ship.
WORKDIR /
EXPOSE 4566
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:4566/_bedtape/live', timeout=2)"]
ENTRYPOINT ["bedtape"]
CMD ["replay", "--host", "0.0.0.0", "--port", "4566"]
