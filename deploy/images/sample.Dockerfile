# The sample application of the kind lab, and the pod to call it from: a small HTTP server that says which pod of which
# cluster answered, and beside it the sh, curl and dig of BASE.
# Built by build.sh --sample. The server comes with the C library that it was built with, in a folder of its own, so that
# BASE may be any Linux, also one with another C library.
ARG BASE=nicolaka/netshoot:v0.15
FROM ${BASE}
COPY rootfs/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/isthmus-lab"]
