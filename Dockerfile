# harden in an image. To judge the folder that you are in, and be able to do no more than that:
#   docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges -v "$PWD:/work:ro" IMAGE --check
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hardener hardener
COPY fixtures fixtures
RUN python3 -m venv --without-pip /opt/harden \
    && python3 -m pip --python /opt/harden/bin/python3 install --no-cache-dir .

FROM python:3.13-slim-bookworm
COPY --from=build /opt/harden /opt/harden
ENV PATH="/opt/harden/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
WORKDIR /work
# Nobody's number: the image has no account for it, and harden needs none.
USER 65532:65532
ENTRYPOINT ["harden"]
