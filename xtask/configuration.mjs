// Prints as JSON what the deployment needs to know of a wrangler configuration, read by wrangler itself, which knows
// what an environment inherits and what not. `node configuration.mjs FILE ENVIRONMENT`, "" for the top level.

import { unstable_readConfig as readConfig } from "wrangler";

const [config, environment] = process.argv.slice(2);
const environments = readConfig({ config, env: "" }, { hideWarnings: true }).definedEnvironments ?? [];
if (environment && !environments.includes(environment)) {
  const known = environments.length ? `It has ${environments.join(", ")}.` : "It has none.";
  console.error(`${config} has no environment ${environment}. ${known}`);
  process.exit(1);
}
const { name, vars, d1_databases: databases } = readConfig({ config, env: environment }, { hideWarnings: true });
console.log(JSON.stringify({ name, vars, databases }));
