# The gateway without its tests: built in one stage, run by nobody in particular in the other. Docs: docs/deployment.md
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.cfg pyproject.toml constraints.txt README.md LICENSE wsgi.py ./
COPY adapters ./adapters
COPY gateway ./gateway
COPY models ./models
# Why the lock has two names: Makefile.
RUN python -m venv /opt/gateway \
    && PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt /opt/gateway/bin/pip install \
    --no-cache-dir ".[postgres,redis,oidc,s3]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home gateway \
    && install --directory --owner gateway --group gateway --mode 700 /var/lib/gateway /var/lib/gateway-files
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_BIND=0.0.0.0:8000 \
    GATEWAY_DATABASE_URL=sqlite:////var/lib/gateway/gateway.db \
    GATEWAY_DATA_DIR=/var/lib/gateway
# Beside this folder, GATEWAY_FILES_DIR if it is set, /tmp and /dev/shm nothing is written to, so the root file
# system may be read-only. gateway-files is there for a volume of files that several containers share.
WORKDIR /var/lib/gateway
VOLUME ["/var/lib/gateway"]
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["feedback-gateway"]
CMD ["serve"]
