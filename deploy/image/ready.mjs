// The health check of containers: ends with 0 where the service on that port is ready. Kubernetes asks by itself.
const response = await fetch(`http://127.0.0.1:${process.argv[2]}/readyz`, { signal: AbortSignal.timeout(3_000) });
process.exitCode = response.ok ? 0 : 1;
