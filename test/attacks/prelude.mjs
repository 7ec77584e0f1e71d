// What every attack in JavaScript begins with.
/** Prints what came of it: the error's code or name, or that it was done. */
async function attempt(name, action) {
  try {
    const value = await action();
    console.log(`${name}: done${value === undefined ? '' : ` ${value}`}`);
  } catch (error) {
    console.log(`${name}: ${error?.code ?? error?.name ?? error}`);
  }
}
