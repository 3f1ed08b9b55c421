// Runs one pipeline of transformers.js on a folder of this machine: a JSON request in, JSON out.
//
// Request: {root, model, task, options, calls: [[inputs, settings], ...]}: the model is a folder below root.
import { readFileSync } from "node:fs";
import { env, pipeline } from "@huggingface/transformers";

const { root, model, task, options, calls } = JSON.parse(readFileSync(0, "utf8"));
env.allowRemoteModels = false;
env.localModelPath = root;

const run = await pipeline(task, model, { device: "cpu", dtype: "fp32", ...options });
const results = [];
for (const [inputs, settings] of calls) {
  results.push(await run(inputs, settings));
}
await run.dispose();
process.stdout.write(JSON.stringify(results));
