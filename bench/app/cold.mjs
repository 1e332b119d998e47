// node cold.mjs BOOTSTRAP CLASS PARAMS: one run as cron would start it, of a class in bench/app/node.

const [, , bootstrap, name, params] = process.argv;
await import(bootstrap);
const { default: Class } = await import(`./node/${name}.mjs`);
await new Class().run(JSON.parse(params));
