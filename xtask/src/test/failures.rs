//! Which tests failed and why, from what Node's test runner wrote as TAP.

/// The failed tests in the order in which they ended, each as a line with its name and then indented lines with where it is
/// and what went wrong. A suite that failed only because of a test in it is left out. Of a file that could not be run, what it
/// printed is the reason.
pub fn failures(tap: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = tap.lines();
    let mut printed = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("# ") {
            printed.push(text);
        }
        if line.starts_with("ok ") {
            printed.clear();
        }
        let Some((_, name)) =
            line.trim_start().strip_prefix("not ok ").and_then(|rest| rest.split_once(" - "))
        else {
            continue;
        };
        let indent = line.len() - line.trim_start().len() + 2;
        let end = format!("{:indent$}...", "");
        let printed = std::mem::take(&mut printed);
        let block: Vec<_> = lines.by_ref().skip(1).take_while(|line| *line != end).collect();
        let is = |line: &&str, field: &str| line.get(indent..).is_some_and(|text| text.starts_with(field));
        if block.iter().any(|line| is(line, "failureType: 'subtestsFailed'")) {
            continue;
        }
        let reason = block.iter().skip_while(|line| !is(line, "location:"));
        let reason = reason.filter(|line| !is(line, "failureType:") && !is(line, "code:"));
        let reason = reason.map(|line| format!("\n    {}", line.get(indent..).unwrap_or_default()));
        let mut reason = reason.collect::<String>();
        if block.iter().any(|line| is(line, "exitCode:")) {
            printed.iter().for_each(|text| reason.push_str(&format!("\n    | {text}")));
        }
        found.push(format!("{name}{reason}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::failures;

    /// As Node 24 writes it.
    const TAP: &str = "\
TAP version 13
# Subtest: a suite
    # Subtest: good
    ok 1 - good
      ---
      duration_ms: 1.5
      type: 'test'
      ...
    # Subtest: bad - and worse
    not ok 2 - bad - and worse
      ---
      duration_ms: 2.5
      type: 'test'
      location: '/tests/a.test.mjs:1:1'
      failureType: 'testCodeFailure'
      error: |-
        waited for it
          in vain
      code: 'ERR_TEST_FAILURE'
      stack: |-
        run (/tests/a.test.mjs:2:2)
      ...
    1..2
not ok 1 - a suite
  ---
  duration_ms: 4
  type: 'suite'
  location: '/tests/a.test.mjs:0:1'
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  code: 'ERR_TEST_FAILURE'
  ...
not ok 2 - alone
  ---
  duration_ms: 4
  type: 'test'
  location: '/tests/b.test.mjs:1:1'
  failureType: 'uncaughtException'
  error: 'oh'
  code: 'ERR_TEST_FAILURE'
  ...
# node:internal/modules/esm/resolve:274
#     throw new ERR_MODULE_NOT_FOUND(
# Subtest: tests/c.test.mjs
not ok 3 - tests/c.test.mjs
  ---
  duration_ms: 50
  type: 'test'
  location: '/tests/c.test.mjs:1:1'
  failureType: 'testCodeFailure'
  exitCode: 1
  signal: ~
  error: 'test failed'
  code: 'ERR_TEST_FAILURE'
  ...
1..3
";

    #[test]
    fn each_failed_test_is_told_once_with_its_place_and_its_reason() {
        let bad = "bad - and worse\n    location: '/tests/a.test.mjs:1:1'\n    error: |-\n      waited for it\n        in vain\n    \
                   stack: |-\n      run (/tests/a.test.mjs:2:2)";
        let alone = "alone\n    location: '/tests/b.test.mjs:1:1'\n    error: 'oh'";
        let file = "tests/c.test.mjs\n    location: '/tests/c.test.mjs:1:1'\n    exitCode: 1\n    signal: ~\n    error: 'test failed'\n    \
                    | node:internal/modules/esm/resolve:274\n    |     throw new ERR_MODULE_NOT_FOUND(\n    | Subtest: tests/c.test.mjs";
        assert_eq!(failures(TAP), [bad, alone, file]);
        assert_eq!(failures("ok 1 - good\nnot ok 2"), Vec::<String>::new());
    }
}
