//! Inspecting a JSON string without decoding it: chat passes on the exact text that arrived.

/// Code points of a JSON string literal (quotes included), or `None` if it contains a control character other
/// than tab and line breaks. A surrogate pair counts once, and so does a lone surrogate.
///
/// `literal` must be a valid JSON string: the frame's decoder has checked that.
pub(crate) fn code_points(literal: &str) -> Option<usize> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut characters = inner.chars();
    let (mut count, mut after_high_surrogate) = (0, false);
    while let Some(character) = characters.next() {
        let unit = match character {
            '\\' => escaped(&mut characters)?,
            other => u32::from(other),
        };
        let is_low_surrogate = (0xdc00..0xe000).contains(&unit);
        if !(after_high_surrogate && is_low_surrogate) {
            count += 1;
        }
        after_high_surrogate = (0xd800..0xdc00).contains(&unit);
        let is_control = char::from_u32(unit).is_some_and(char::is_control);
        if is_control && !matches!(unit, 0x9 | 0xa | 0xd) {
            return None;
        }
    }
    Some(count)
}

/// The code unit of an escape whose backslash was already read.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    Some(match characters.next()? {
        'b' => 0x8,
        't' => 0x9,
        'n' => 0xa,
        'f' => 0xc,
        'r' => 0xd,
        'u' => {
            let digits = characters.as_str().get(..4)?;
            *characters = characters.as_str().get(4..)?.chars();
            u32::from_str_radix(digits, 16).ok()?
        }
        other => u32::from(other),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_code_points_not_bytes_or_units() {
        for (literal, count) in [
            (r#""""#, 0),
            (r#""abc""#, 3),
            (r#""é€😀""#, 3),
            (r#""😀""#, 1),
            (r#""\ud83d""#, 1),
            (r#""\ude00\ud83d""#, 2),
            (r#""a\n\t\r\"\\\/""#, 7),
        ] {
            assert_eq!(code_points(literal), Some(count), "{literal}");
        }
    }

    #[test]
    fn control_characters_are_found_in_any_spelling() {
        for literal in [r#""\b""#, r#""\f""#, r#""\u0000""#, r#""\u001b[0m""#, "\"\u{7f}\"", "\"\u{85}\""] {
            assert_eq!(code_points(literal), None, "{literal}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_decoder(text: String) {
            let literal = serde_json::to_string(&text).unwrap();
            let plain = !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
            prop_assert_eq!(code_points(&literal), plain.then(|| text.chars().count()));
        }
    }
}
