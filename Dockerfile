# syntax=docker/dockerfile:1
# Two images from one file:
#   docker build --target gateway -t sallyport .        the gateway alone; bring configuration and policies
#   docker build --target demo -t sallyport-demo .      what docker-compose.yml runs
# Node runs the TypeScript sources as they are: nothing is compiled.

# Production dependencies. None has an install script; optional ones (a Node of their own, the test servers)
# are for machines without this image.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
# Every workspace of the lockfile; `npm ci` says when one is missing here.
COPY package.json package-lock.json .npmrc ./
COPY bench/package.json bench/
COPY test/package.json test/
COPY protocols/mysql/package.json protocols/mysql/
COPY protocols/postgres/package.json protocols/postgres/
COPY protocols/wire/package.json protocols/wire/
COPY packages/audit/package.json packages/audit/
COPY packages/cli/package.json packages/cli/
COPY packages/gateway/package.json packages/gateway/
COPY packages/identity/package.json packages/identity/
COPY packages/langgraph/package.json packages/langgraph/
COPY packages/policy/package.json packages/policy/
COPY packages/sql/package.json packages/sql/

FROM manifests AS dependencies
RUN npm ci --omit=dev --omit=optional --ignore-scripts --workspace packages/cli --include-workspace-root=false

FROM manifests AS demo-dependencies
RUN npm ci --omit=optional --ignore-scripts --workspace packages/cli --workspace test --include-workspace-root=false

FROM node:24-bookworm-slim AS gateway
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY protocols ./protocols
COPY packages ./packages
COPY policies ./policies
# Certificate, session tokens, audit log: keep it in a volume.
RUN install -d -o node -g node -m 0700 /var/lib/sallyport && install -d /etc/sallyport
USER node
VOLUME /var/lib/sallyport
# The listener and the admin address as the configurations here have them.
EXPOSE 6432 6306 9464
ENV SALLYPORT_READY_URL=http://127.0.0.1:9464/readyz
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.SALLYPORT_READY_URL).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# SIGTERM lets running statements finish.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "packages/cli/bin/sallyport.js"]
CMD ["serve", "--config", "/etc/sallyport/sallyport.yaml"]

FROM gateway AS demo
USER root
COPY --from=demo-dependencies /app/node_modules ./node_modules
COPY test ./test
RUN node test/demo/write-policies.ts /etc/sallyport/policies \
  && cp test/demo/compose/sallyport.yaml /etc/sallyport/ \
  && install -d -o node -g node -m 0700 /tokens
USER node
