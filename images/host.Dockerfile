# A root filesystem that copies the Python of a stage, with the packages installed there, and `cell`, which runs programs.
#   docker build -f images/host.Dockerfile --build-arg RECIPE=recipes/mine -t mine-cell .
#   docker run --rm mine-cell -c 'print(6 * 7)'
# The recipe's `base.host` has `python_path: /usr/local/bin/python3`. What it is made of is only known here, so the lockfile is
# made here, too. For the other architecture it is built on a machine of that architecture.
ARG ROOTCELLAR=rootcellar
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

# hadolint ignore=DL3006
FROM ${ROOTCELLAR} AS rootcellar

FROM ${PYTHON} AS build
ARG RECIPE=recipes/mine
ARG TARGETARCH
COPY --from=rootcellar /opt/rootcellar /opt/rootcellar
COPY --from=rootcellar /usr/local/bin/build-rootfs /usr/local/bin/
COPY ${RECIPE}/ /recipe/
RUN --mount=type=cache,target=/var/cache/rootcellar --mount=type=secret,id=netrc,target=/root/.netrc \
  ROOTCELLAR_HOME=/var/cache/rootcellar build-rootfs /recipe --arch "$TARGETARCH" --container /container.tar \
  && mkdir /rootfs /launcher \
  && tar --numeric-owner -xpf /container.tar -C /rootfs rootfs \
  && tar --numeric-owner -xpf /container.tar -C /launcher --exclude=rootfs \
  && rm /container.tar

FROM scratch
COPY --from=build /rootfs/ /
COPY --from=build /launcher/ /
# As root, which gives the program a user id of its own and nothing else.
ENTRYPOINT ["/.rootcellar/cell", "run", "--plans", "/.rootcellar/plans"]
