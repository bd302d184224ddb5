# syntax=docker/dockerfile:1

# Dependencies in a stage of their own, so that neither npm's cache nor its logs reach the image.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install script is needed, because only dev dependencies have one.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# Builds the dashboard with the dev dependencies, which do not reach the image.
FROM node:26-slim AS dashboard
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
# All of it, because the dashboard shares modules such as `presentation/csv.ts` with the gateway.
COPY src ./src
# Node is that of the image: `npm run` would look for the Node that an install script installs.
RUN node src/dashboard/page/build.js && test -f src/dashboard/dist/index.html

FROM node:26-slim AS app
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY --from=dashboard /app/src/dashboard/dist ./src/dashboard/dist
# `--demo` needs the simulator; the image contains no other tool.
COPY tools/simulator ./tools/simulator

# Creates the compile cache, with which a gateway starts faster. Node uses the cache only for the same user id, which is part
# of the cache's name, and for code in the same directory. Therefore this stage runs the code in /app as the user of the image.
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
# The image needs no package manager, and an attacker could misuse one.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA_DIR=/data
# The cache belongs to root, so that a compromised process cannot change the code that the next process runs.
COPY --from=compiled --chmod=755 /tmp/compiled ./node_modules/.cache/sluice
# The directory for keys, ledger and journal, the only one to which the gateway writes.
RUN mkdir -m 0700 /data && chown 10001:10001 /data
VOLUME /data
# A numeric user id, because Kubernetes cannot verify from a name that the user is not root.
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["node", "src/server.ts", "--health"]
# `--disable-sigusr1`: otherwise SIGUSR1 would open Node's inspector. `stop-signals.js` is loaded first to install the signal
# handlers: the kernel does not deliver a signal to PID 1 unless it has a handler.
CMD ["node", "--disable-sigusr1", "--import", "./src/stop-signals.js", "src/server.ts"]
