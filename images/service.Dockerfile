# Rootcellar itself: the service in place of dify-sandbox, and what the Dockerfiles beside this one build with.
#   docker build -f images/service.Dockerfile -t rootcellar .
# A private npm registry: --secret id=npmrc,src=$HOME/.npmrc
ARG NODE=docker.io/library/node:20-trixie-slim

FROM ${NODE} AS build
# Both launchers, so that images for either architecture can be built.
# hadolint ignore=DL3008
RUN case "$(dpkg --print-architecture)" in \
      amd64) other='gcc-aarch64-linux-gnu libc6-dev-arm64-cross' ;; \
      arm64) other='gcc-x86-64-linux-gnu libc6-dev-amd64-cross' ;; \
      *) echo 'only amd64 and arm64 are supported' >&2; exit 1 ;; \
    esac \
  && apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev make $other \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/rootcellar
COPY package.json package-lock.json tsconfig.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci --no-audit --no-fund --loglevel=error
COPY native native
COPY src src
RUN npm run -s build \
  && npm prune --omit=dev --no-audit --no-fund --loglevel=error \
  && rm -rf src native/build/*/*.o \
  && mkdir bin \
  && cp "$(command -v node)" bin/node

FROM ${NODE}
# xz and gpgv unpack and check Debian's packages; curl is what health checks of dify-sandbox call.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates curl gpgv xz-utils \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/rootcellar /opt/rootcellar
COPY images/delegate-cgroups images/rootcellar images/build-rootfs /usr/local/bin/
COPY images/config.yaml /conf/config.yaml
# Every address: the port is that of config.yaml or SANDBOX_PORT.
ENV ROOTCELLAR_HOME=/var/lib/rootcellar ROOTCELLAR_LISTEN=0.0.0.0
WORKDIR /
EXPOSE 8194
VOLUME /var/lib/rootcellar
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD curl -fsS "http://localhost:${SANDBOX_PORT:-8194}/health" || exit 1
# As root, which gives every run a user id of its own and nothing else; in a restricted pod it is any other user.
ENTRYPOINT ["delegate-cgroups", "rootcellar"]
CMD ["serve", "--config", "/conf/config.yaml"]
