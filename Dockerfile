# syntax=docker/dockerfile:1

# Dependencies in a stage of their own, so that neither npm's cache nor its logs reach the image.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without dev dependencies there is nothing left whose install script would be needed.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26-slim AS app
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
# For `--demo`; the other tools stay out.
COPY tools/simulator ./tools/simulator

# What Node compiles when a gateway starts, for a faster start: of the same user, whose number is part of its name, and at
# the same place.
FROM app AS compiled
USER 10001:10001
RUN NODE_COMPILE_CACHE=/tmp/compiled node --input-type=module --eval "\
    await Promise.all(['main', 'store/redis', 'cli/main', 'health-check'].map((part) => import('/app/src/' + part + '.ts'))); \
    const [{ loadConfig }, { startGateway }, { createLogger }] = await Promise.all( \
      ['config/config', 'gateway', 'observability/logger'].map((part) => import('/app/src/' + part + '.ts'))); \
    const config = loadConfig({ PORT: '0', OPENROUTER_API_KEY: 'none', DATA_DIR: '/tmp/data' }); \
    const gateway = await startGateway(config, createLogger('warn')); \
    await fetch(gateway.url + '/readyz'); \
    await gateway.stop({ delayMs: 0, graceMs: 0 });"

FROM app
# Nothing here installs packages; what is not there cannot be misused.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA_DIR=/data
# Root's: a process that was broken into must not change what the next one runs.
COPY --from=compiled --chmod=755 /tmp/compiled ./node_modules/.cache/sluice
# Keys, ledger and journal; nothing else is written.
RUN mkdir -m 0700 /data && chown 10001:10001 /data
VOLUME /data
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["node", "src/server.ts", "--health"]
# SIGUSR1 would open Node's inspector. Signals are handled before the rest is loaded: the kernel keeps them from a PID 1
# without handlers.
CMD ["node", "--disable-sigusr1", "--import", "./src/stop-signals.js", "src/server.ts"]
