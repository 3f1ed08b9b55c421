"""Programs that measure this project: latency, exports, memory and startup."""
