/** What a library emits as an error, which it then tries to mend: the numbers are not to be trusted. */
export function problemOf(name: string): (error: Error) => void {
  return ({ message }) => {
    console.error(`${name}: ${message}`);
    process.exitCode = 1;
  };
}
