# A root filesystem from Debian's packages and wheels, and in it nothing but `cell`, which runs programs.
#   docker build -f images/debian.Dockerfile --build-arg RECIPE=recipes/python -t python-cell .
#   docker run --rm python-cell -c 'print(6 * 7)'
# For the other architecture, nothing of which is run: --platform linux/arm64
# A private index or archive: --secret id=netrc,src=$HOME/.netrc
ARG ROOTCELLAR=rootcellar

# hadolint ignore=DL3006
FROM --platform=$BUILDPLATFORM ${ROOTCELLAR} AS build
ARG RECIPE=recipes/python
ARG TARGETARCH
COPY ${RECIPE}/ /recipe/
# The cache has downloads and what was unpacked of them: none of it gets into a layer.
RUN --mount=type=cache,target=/var/cache/rootcellar --mount=type=secret,id=netrc,target=/root/.netrc \
  ROOTCELLAR_HOME=/var/cache/rootcellar build-rootfs /recipe --locked --arch "$TARGETARCH" --container /container.tar \
  && mkdir /rootfs /launcher \
  && tar --numeric-owner -xpf /container.tar -C /rootfs rootfs \
  && tar --numeric-owner -xpf /container.tar -C /launcher --exclude=rootfs \
  && rm /container.tar

FROM scratch
# A layer of its own: it changes when the image does, the other one when the launcher does.
COPY --from=build /rootfs/ /
COPY --from=build /launcher/ /
# As root, which gives the program a user id of its own and nothing else.
ENTRYPOINT ["/.rootcellar/cell", "run", "--plans", "/.rootcellar/plans"]
