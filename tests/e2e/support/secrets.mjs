// What must never be in a log, looked for in what every test server has logged.

/** Of the people in the tests. */
const PASSWORD = "Sup3rSecret";
/** A token of ours, and hashes of passwords. */
const SHAPES = [/eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/, /\$argon2id\$/, /\$2[aby]\$\d\d\$/];
const SECRET_VARIABLE = /SECRET|CREDENTIAL|API_KEY|API_TOKEN/;
/** A shorter one is not a secret but a test's mistake on purpose, and may be a word of the log. */
const SHORTEST = 16;

/** The lines that hold a secret: one of these variables' values, a password, or what looks like a token or a hash. */
export function linesWithSecrets(lines, variables) {
  const values = Object.entries(variables).filter(([name, value]) => SECRET_VARIABLE.test(name) && String(value).length >= SHORTEST);
  const known = [PASSWORD, ...values.map(([, value]) => value)];
  return lines.filter((line) => known.some((secret) => line.includes(secret)) || SHAPES.some((shape) => shape.test(line)));
}
