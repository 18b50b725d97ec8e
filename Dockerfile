# syntax=docker/dockerfile:1
FROM python:3.13-slim-trixie AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /build
RUN pip install --no-cache-dir uv==0.13.9
COPY requirements-run.lock pyproject.toml README.md LICENSE ./
RUN uv venv /venv && uv pip install --no-cache --python /venv/bin/python --require-hashes -r requirements-run.lock
COPY app app
RUN uv pip install --no-cache --python /venv/bin/python --no-deps --no-build-isolation .

# The emulator and the packages that only the emulator needs stay out of the production image.
FROM build AS build-demo
COPY requirements-demo.lock ./
RUN uv pip install --no-cache --python /venv/bin/python --require-hashes -r requirements-demo.lock
COPY emulator emulator
RUN uv pip install --no-cache --python /venv/bin/python --no-deps --no-build-isolation ./emulator

FROM python:3.13-slim-trixie AS runtime
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid gateway --no-create-home --shell /usr/sbin/nologin gateway \
    && install -d -m 0700 -o gateway -g gateway /data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATABASE_URL=sqlite+aiosqlite:////data/gateway.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["gemini-gateway"]

FROM runtime AS demo
COPY --from=build-demo /venv /venv
CMD ["dev", "--host", "0.0.0.0"]

FROM runtime AS production
COPY --from=build /venv /venv
CMD ["serve", "--host", "0.0.0.0"]
