// Expectations, and waiting for what is expected.

/** The same by value; bytes and times too. */
export function sameAs(actual, expected) {
  const [one, other] = [written(actual), written(expected)];
  if (one !== other) throw new Error(`expected ${other}, got ${one}`);
}

function written(value) {
  return JSON.stringify(value, function (key, json) {
    const own = this[key];
    if (own instanceof Date) return { time: own.toISOString() };
    if (own instanceof Uint8Array) return { bytes: [...own] };
    return json === undefined ? { is: "undefined" } : sorted(json);
  });
}

function sorted(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if (Object.values(value).some((inner) => inner instanceof Uint8Array || inner instanceof Date)) {
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  }
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Fails unless the promise fails with an error of this text. */
export async function withText(promise, text) {
  let result;
  try {
    result = await promise;
  } catch (error) {
    return sameAs(error.message, text);
  }
  throw new Error(`expected the error ${text}, got ${written(result)}`);
}

/** All items of a stream. */
export function all(stream, items = []) {
  return new Promise((resolve, reject) =>
    stream.subscribe({ next: (item) => items.push(item), error: reject, complete: () => resolve(items) }),
  );
}

/** Waits until it is so; every test has a limit of its own. */
export async function until(isSo, what) {
  const deadline = Date.now() + 15_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs tests some at a time, each with a limit; calls `ended` with the name and the error, if there was one. */
export async function runAll(tests, ended, { atOnce = 24, limit = 40_000 } = {}) {
  const waiting = [...tests];
  const run = async ({ name, run }) => {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it does not end")), limit)));
    try {
      await Promise.race([run(), late]);
      ended(name);
    } catch (error) {
      ended(name, error);
    } finally {
      clearTimeout(timer);
    }
  };
  const lane = async () => {
    for (let test = waiting.shift(); test; test = waiting.shift()) await run(test);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** Subjects of the version of the client that is tested. */
export const Subjects = {
  create: undefined,
  of() {
    return new Subjects.create();
  },
};
