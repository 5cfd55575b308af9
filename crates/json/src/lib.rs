//! JSON (RFC 8259) that is validated and sliced, never decoded.
//!
//! The whole grammar is checked, since a broken frame has to end its connection; the results are slices of the
//! input. There is no recursion, so nesting costs a byte per level and no stack. Strings are scanned eight
//! bytes at a time: session descriptions are long strings, and scanning them is most of the work for a relayed
//! frame. The tests use serde_json as the oracle.

/// The single value in a JSON text, without the white space around it, or `None` if the text is not JSON.
pub fn value(json: &str) -> Option<&str> {
    let mut scanner = Scanner::new(json);
    let value = scanner.value()?;
    scanner.ends().then_some(value)
}

/// The elements of a JSON array.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let mut scanner = Scanner::new(json);
    let mut elements = Vec::with_capacity(4);
    scanner.open(b'[')?;
    if !scanner.closes(b']') {
        loop {
            elements.push(scanner.value()?);
            if scanner.closes(b']') {
                break;
            }
            scanner.open(b',')?;
        }
    }
    scanner.ends().then_some(elements)
}

/// Calls `each` with the keys (literals, quotes included) and values of a JSON object.
pub fn members<'a>(json: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut scanner = Scanner::new(json);
    scanner.open(b'{')?;
    if !scanner.closes(b'}') {
        loop {
            let key = scanner.value().filter(|key| key.starts_with('"'))?;
            scanner.open(b':')?;
            each(key, scanner.value()?);
            if scanner.closes(b'}') {
                break;
            }
            scanner.open(b',')?;
        }
    }
    scanner.ends().then_some(())
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next value, after white space.
    fn value(&mut self) -> Option<&'a str> {
        self.skip_space();
        let start = self.at;
        self.skip_value()?;
        self.text.get(start..self.at)
    }

    /// Reads `byte` after white space.
    fn open(&mut self, byte: u8) -> Option<()> {
        self.closes(byte).then_some(())
    }

    /// Reads `byte` after white space if it is there.
    fn closes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn ends(&mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    fn skip_value(&mut self) -> Option<()> {
        // The closing characters of the open containers, innermost last.
        let mut closers = Vec::new();
        loop {
            self.skip_space();
            match self.next()? {
                b'"' => self.skip_string()?,
                b'-' => self.skip_number(None)?,
                digit @ b'0'..=b'9' => self.skip_number(Some(digit))?,
                b't' => self.skip_literal("rue")?,
                b'f' => self.skip_literal("alse")?,
                b'n' => self.skip_literal("ull")?,
                b'[' if !self.closes(b']') => {
                    closers.push(b']');
                    continue;
                }
                b'{' if !self.closes(b'}') => {
                    self.skip_key()?;
                    closers.push(b'}');
                    continue;
                }
                // An empty container was closed by the guard.
                b'[' | b'{' => {}
                _ => return None,
            }
            // A value has ended: close containers until one goes on.
            loop {
                let Some(&closer) = closers.last() else { return Some(()) };
                self.skip_space();
                match self.next()? {
                    b',' if closer == b'}' => {
                        self.skip_key()?;
                        break;
                    }
                    b',' => break,
                    byte if byte == closer => {
                        closers.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn skip_key(&mut self) -> Option<()> {
        self.open(b'"')?;
        self.skip_string()?;
        self.open(b':')
    }

    /// After the opening quote.
    fn skip_string(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        // In a local variable, which the compiler keeps in a register.
        let mut at = self.at;
        loop {
            at += plain(bytes.get(at..)?);
            match bytes.get(at)? {
                b'"' => {
                    self.at = at + 1;
                    return Some(());
                }
                b'\\' => match bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    b'u' => {
                        let digits = bytes.get(at + 2..at + 6)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        at += 6;
                    }
                    _ => return None,
                },
                0..0x20 => return None,
                _ => at += 1,
            }
        }
    }

    /// After a minus, or after the first digit.
    fn skip_number(&mut self, first: Option<u8>) -> Option<()> {
        let first = first.or_else(|| self.next().filter(u8::is_ascii_digit))?;
        if first != b'0' {
            self.skip_digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            (self.skip_digits() > 0).then_some(())?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            (self.skip_digits() > 0).then_some(())?;
        }
        Some(())
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn skip_literal(&mut self, rest: &str) -> Option<()> {
        self.text.as_bytes().get(self.at..)?.starts_with(rest.as_bytes()).then_some(())?;
        self.at += rest.len();
        Some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

/// The number of bytes before the first quote, backslash or control character, or before one of the last seven.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut plain = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*chunk);
        let quote = zero_in(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = quote | backslash | control;
        if found != 0 {
            // The lowest mark is exact; only those above it may come from a borrow.
            return plain + found.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn values_are_cut_as_they_were_written() {
        assert_eq!(value(" {\"a\": 1.0, \"a\":1e400}\n"), Some("{\"a\": 1.0, \"a\":1e400}"));
        assert_eq!(elements(r#"[ "a" ,[1,{}], {"b":[]} ]"#), Some(vec![r#""a""#, "[1,{}]", r#"{"b":[]}"#]));
        assert_eq!(elements("[]"), Some(Vec::new()));
        let mut found = Vec::new();
        members(r#" { "a" : 1, "b\"":{"c":null},"a":2 } "#, |key, value| found.push((key, value))).unwrap();
        assert_eq!(found, [("\"a\"", "1"), ("\"b\\\"\"", "{\"c\":null}"), ("\"a\"", "2")]);
    }

    #[test]
    fn a_container_of_another_kind_is_none() {
        assert_eq!(elements("{}"), None);
        assert_eq!(elements("[1,]"), None);
        assert_eq!(elements("[1] x"), None);
        assert_eq!(members("[]", |_, _| {}), None);
        assert_eq!(members(r#"{1:2}"#, |_, _| {}), None);
        assert_eq!(members(r#"{"a":1,}"#, |_, _| {}), None);
    }

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        let oracle = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
        prop_assert_eq!(value(text), oracle, "{}", text);
        let oracle = serde_json::from_str::<Vec<&RawValue>>(text).ok();
        let oracle = oracle.map(|elements| elements.into_iter().map(RawValue::get).collect::<Vec<_>>());
        prop_assert_eq!(elements(text), oracle, "{}", text);
        Ok(())
    }

    /// Any JSON value, with white space and odd spellings.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just(" true".to_owned()),
            Just("-0.0e-10".to_owned()),
            Just("1E400".to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            Just(r#""\ud800\u00e9\/""#.to_owned()),
        ];
        leaf.prop_recursive(6, 64, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(" ,\t"))),
                proptest::collection::vec(inner, 0..5).prop_map(|v| {
                    let members: Vec<_> = v.iter().map(|value| format!("\"k\\n\" :{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_json(text in json()) {
            prop_assert!(value(&text).is_some());
            agrees(&text)?;
        }

        #[test]
        fn agrees_with_serde_json_on_broken_json(text in json(), at: prop::sample::Index, with in "[\\[\\]{},:\"\\\\ 0-9eE.+\\-tfn\u{1}]{0,2}") {
            let mut places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            places.push(text.len());
            let place = places[at.index(places.len())];
            let end = text[place..].chars().next().map_or(place, |c| place + c.len_utf8());
            agrees(&format!("{}{with}{}", &text[..place], &text[end..]))?;
        }

        #[test]
        fn agrees_with_serde_json_on_anything(text in "[\\[\\]{},:\"\\\\ 0-9eE.+\\-truefalsn\u{1}é]{0,24}") {
            agrees(&text)?;
        }
    }
}
