import { CONFIG_VARIABLE, CONTRACT_VERSION, type ZygoteConfig } from '../contract.ts';

/** Takes the configuration out of the environment. Throws with a message for the boot log. */
export function takeConfig(env: NodeJS.ProcessEnv): ZygoteConfig {
  const text = env[CONFIG_VARIABLE];
  delete env[CONFIG_VARIABLE];
  if (text === undefined)
    throw new Error(`${CONFIG_VARIABLE} is not set: rocksyd starts this program, nobody else`);
  const config = JSON.parse(text) as ZygoteConfig;
  if (config.version !== CONTRACT_VERSION) {
    throw new Error(
      `the daemon speaks version ${config.version} of the zygote contract, this zygote ${CONTRACT_VERSION}`,
    );
  }
  return config;
}
