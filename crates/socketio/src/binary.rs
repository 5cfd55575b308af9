//! Binary packets: a text frame announces n attachments, n binary frames follow, nothing between.
//!
//! The announcement is kept as text until the last attachment arrives. There is no state "waiting for zero"
//! (CVE-2026-69185); the number of attachments, their bytes and the waiting time are bounded.

use zetra_json as json;

use crate::packet::{Packet, PacketError, Payload};

/// A binary packet that is being assembled.
#[derive(Debug)]
pub struct Attachments {
    announcement: String,
    expected: usize,
    received: Vec<Vec<u8>>,
    bytes: usize,
}

impl Attachments {
    /// Begins with `packet`, which was decoded from `text` and announces `packet.attachments` binary frames.
    ///
    /// # Errors
    /// [`PacketError::Attachments`] beyond `max`, [`PacketError::Placeholder`] if the payload refers to an
    /// attachment that was not announced.
    pub fn announced(text: &str, packet: &Packet<'_>, max: usize) -> Result<Self, PacketError> {
        if packet.attachments > max {
            return Err(PacketError::Attachments);
        }
        if let Payload::Array(elements) = &packet.payload {
            elements.iter().try_for_each(|element| check_placeholders(element, packet.attachments, 0))?;
        }
        Ok(Self {
            announcement: text.to_owned(),
            expected: packet.attachments,
            received: Vec::new(),
            bytes: 0,
        })
    }

    /// Adds a binary frame; true when it was the last.
    ///
    /// # Errors
    /// [`PacketError::Attachments`] if all together are larger than `max_bytes`.
    pub fn push(&mut self, bytes: Vec<u8>, max_bytes: usize) -> Result<bool, PacketError> {
        self.bytes += bytes.len();
        if self.bytes > max_bytes {
            return Err(PacketError::Attachments);
        }
        self.received.push(bytes);
        Ok(self.received.len() >= self.expected)
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.announcement.len() + self.bytes
    }

    /// The announcement, and the attachments in order.
    pub fn into_parts(self) -> (String, Vec<Vec<u8>>) {
        (self.announcement, self.received)
    }
}

/// The deepest nesting allowed in a binary packet, which has to be searched for placeholders: each level is
/// read once more, so this bounds the cost of a hostile frame.
const DEPTH: usize = 32;

fn check_placeholders(value: &str, attachments: usize, depth: usize) -> Result<(), PacketError> {
    if depth > DEPTH {
        return Err(PacketError::Json);
    }
    let mut inner = Vec::new();
    let (mut is_placeholder, mut num) = (false, None);
    if value.starts_with('[') {
        inner = json::elements(value).ok_or(PacketError::Json)?;
    } else if value.starts_with('{') {
        json::members(value, |key, member| match key {
            "\"_placeholder\"" => is_placeholder = member == "true",
            "\"num\"" => num = Some(member),
            _ => inner.push(member),
        })
        .ok_or(PacketError::Json)?;
    }
    if is_placeholder {
        let in_range = num.and_then(|num| num.parse::<usize>().ok()).is_some_and(|num| num < attachments);
        return if in_range { Ok(()) } else { Err(PacketError::Placeholder) };
    }
    // If it is not a placeholder, `num` is a member like any other.
    inner.extend(num);
    inner.iter().try_for_each(|value| check_placeholders(value, attachments, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(text: &str) -> Result<Attachments, PacketError> {
        Attachments::announced(text, &Packet::decode(text).unwrap(), 10)
    }

    #[test]
    fn is_complete_with_the_last_attachment() {
        let mut pending =
            announced(r#"52-["x",{"_placeholder":true,"num":0},{"y":[{"_placeholder":true,"num":1}]}]"#)
                .unwrap();
        assert_eq!(pending.push(vec![1], 3), Ok(false));
        assert_eq!(pending.push(vec![2], 3), Ok(true));
        assert_eq!(pending.into_parts().1, [[1], [2]]);
    }

    #[test]
    fn placeholders_point_to_announced_attachments() {
        for num in ["1", "-1", "0.5", "\"0\"", "null", "01"] {
            let text = format!(r#"51-["x",{{"_placeholder":true,"num":{num}}}]"#);
            if let Ok(packet) = Packet::decode(&text) {
                let error = Attachments::announced(&text, &packet, 10).map(|_| ());
                assert_eq!(error, Err(PacketError::Placeholder), "{num}");
            }
        }
    }

    #[test]
    fn nesting_is_bounded_as_each_level_costs_a_reading() {
        let nested = |depth: usize| format!(r#"51-["x",{}1{}]"#, "[".repeat(depth), "]".repeat(depth));
        assert!(announced(&nested(DEPTH)).is_ok());
        assert_eq!(announced(&nested(DEPTH + 1)).map(|_| ()), Err(PacketError::Json));
    }

    #[test]
    fn more_attachments_than_allowed_are_refused_before_any_is_kept() {
        assert_eq!(announced(r#"511-["x"]"#).map(|_| ()), Err(PacketError::Attachments));
    }
}
