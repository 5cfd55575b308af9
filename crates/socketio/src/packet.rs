//! Socket.IO v5 packets: `<type>[<attachments>-][<namespace>,][<ack id>][JSON]`.
//!
//! The codec is strict where `socket.io-parser` is lax by accident of JavaScript's `Number()`: attachment
//! counts and ack ids are plain decimal digits, and a packet whose type needs a payload has one. A client that
//! uses the official packages never notices.

use thiserror::Error;
use zetra_json as json;

/// Event names that belong to the library and may not come over the wire.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest ack id: beyond it JavaScript's numbers are no longer exact.
const ACK_ID_MAX: u64 = (1 << 53) - 1;

/// The type of a packet (Socket.IO v5, "Packet types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketType {
    /// 0: requests to join a namespace, and confirms that it is joined.
    Connect,
    /// 1: leaves a namespace.
    Disconnect,
    /// 2: an event without binary arguments.
    Event,
    /// 3: answers an event.
    Ack,
    /// 4: refuses a CONNECT. Only a server sends it.
    ConnectError,
    /// 5: an event; binary frames follow.
    BinaryEvent,
    /// 6: answers an event; binary frames follow.
    BinaryAck,
}

impl PacketType {
    const ALL: [Self; 7] = [
        Self::Connect,
        Self::Disconnect,
        Self::Event,
        Self::Ack,
        Self::ConnectError,
        Self::BinaryEvent,
        Self::BinaryAck,
    ];

    fn from_digit(digit: u8) -> Option<Self> {
        let index = digit.checked_sub(b'0')?;
        Self::ALL.get(usize::from(index)).copied()
    }

    /// The digit that represents it on the wire.
    pub fn digit(self) -> char {
        match self {
            Self::Connect => '0',
            Self::Disconnect => '1',
            Self::Event => '2',
            Self::Ack => '3',
            Self::ConnectError => '4',
            Self::BinaryEvent => '5',
            Self::BinaryAck => '6',
        }
    }

    /// Whether binary frames follow it.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// A packet, borrowed from the frame in which it arrived.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// The type.
    pub kind: PacketType,
    /// `/` for the main namespace.
    pub namespace: &'a str,
    /// For an event the id under which an ack is expected, for an ack the id of the event it answers; at most
    /// 2^53 - 1.
    pub id: Option<u64>,
    /// Binary frames that follow; at least 1 for the binary types, 0 for the others.
    pub attachments: usize,
    /// The payload.
    pub payload: Payload<'a>,
}

/// The JSON part of a packet. Its shape is checked, its content is not.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// There is none: DISCONNECT, and a CONNECT without credentials.
    None,
    /// CONNECT and CONNECT_ERROR: an object (or, for the latter, a string).
    Value(&'a str),
    /// The events and the acks: the elements of the array. An event has at least a name.
    Array(Vec<&'a str>),
}

/// Why a packet was refused. All of these are fatal for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// It does not even have a type.
    #[error("empty packet")]
    Empty,
    /// The first character is not one of `0` to `6`.
    #[error("unknown packet type")]
    UnknownType,
    /// The number of attachments is missing, zero, not a plain decimal number, or more than allowed; or the
    /// attachments are larger than allowed.
    #[error("illegal number of attachments")]
    Attachments,
    /// The ack id is larger than 2^53 - 1.
    #[error("illegal ack id")]
    AckId,
    /// The payload is not JSON, or nested too deeply for a binary packet.
    #[error("payload is not JSON")]
    Json,
    /// It is JSON, but not the object or array that the type requires, or present although the type has none.
    #[error("payload has the wrong shape for its packet type")]
    Shape,
    /// The event's name is missing, neither a string nor a number, or one of [`RESERVED_EVENTS`].
    #[error("reserved or malformed event name")]
    EventName,
    /// A placeholder's `num` is not below the number of attachments.
    #[error("placeholder points to no attachment")]
    Placeholder,
}

impl<'a> Packet<'a> {
    /// Reads one packet, without the Engine.IO `4` before it. Takes one pass and no recursion, whatever the
    /// payload.
    ///
    /// # Errors
    /// The first [`PacketError`] from the left.
    pub fn decode(text: &'a str) -> Result<Self, PacketError> {
        let (first, rest) = text.split_at_checked(1).ok_or(match text {
            "" => PacketError::Empty,
            _ => PacketError::UnknownType,
        })?;
        let kind = first.bytes().next().and_then(PacketType::from_digit).ok_or(PacketError::UnknownType)?;
        let (attachments, rest) = if kind.is_binary() { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest);
        let (id, rest) = ack_id(rest)?;
        let payload = Payload::decode(kind, rest)?;
        Ok(Self { kind, namespace, id, attachments, payload })
    }
}

impl<'a> Payload<'a> {
    fn decode(kind: PacketType, text: &'a str) -> Result<Self, PacketError> {
        let value = || json::value(text).ok_or(PacketError::Json);
        let array = || {
            json::elements(text)
                .ok_or_else(|| if value().is_ok() { PacketError::Shape } else { PacketError::Json })
        };
        match kind {
            PacketType::Connect | PacketType::Disconnect if text.is_empty() => Ok(Self::None),
            PacketType::Connect => shaped(value()?, &['{']),
            PacketType::ConnectError => shaped(value()?, &['{', '"']),
            PacketType::Disconnect => Err(PacketError::Shape),
            PacketType::Event | PacketType::BinaryEvent => {
                let elements = array()?;
                check_event_name(&elements)?;
                Ok(Self::Array(elements))
            }
            PacketType::Ack | PacketType::BinaryAck => Ok(Self::Array(array()?)),
        }
    }
}

fn shaped<'a>(value: &'a str, firsts: &[char]) -> Result<Payload<'a>, PacketError> {
    value.starts_with(firsts).then_some(Payload::Value(value)).ok_or(PacketError::Shape)
}

/// A name is a string that is not reserved, or a number.
fn check_event_name(elements: &[&str]) -> Result<(), PacketError> {
    let name = elements.first().copied().ok_or(PacketError::EventName)?;
    match name.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            let reserved = RESERVED_EVENTS.iter().any(|reserved| reserved.as_bytes() == inner);
            if reserved { Err(PacketError::EventName) } else { Ok(()) }
        }
        [b'"', ..] => match serde_json::from_str::<String>(name) {
            Ok(name) if RESERVED_EVENTS.contains(&name.as_str()) => Err(PacketError::EventName),
            // A name with a lone surrogate is a valid name, though none that an application uses.
            Ok(_) | Err(_) => Ok(()),
        },
        [b'-' | b'0'..=b'9', ..] => Ok(()),
        _ => Err(PacketError::EventName),
    }
}

fn attachments(text: &str) -> Result<(usize, &str), PacketError> {
    let (digits, rest) = text.split_once('-').ok_or(PacketError::Attachments)?;
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count = digits.parse().ok().filter(|count| plain && *count > 0);
    Ok((count.ok_or(PacketError::Attachments)?, rest))
}

/// `/` up to the comma. As in the official parser, the comma may be missing at the very end.
fn namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') { text.split_once(',').unwrap_or((text, "")) } else { ("/", text) }
}

fn ack_id(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = text.split_at_checked(digits).ok_or(PacketError::AckId)?;
    if id.is_empty() {
        return Ok((None, rest));
    }
    let id = id.parse().ok().filter(|id| *id <= ACK_ID_MAX).ok_or(PacketError::AckId)?;
    Ok((Some(id), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(packet: &Packet<'_>) -> Vec<String> {
        match &packet.payload {
            Payload::Array(elements) => elements.iter().map(|&e| e.to_owned()).collect(),
            Payload::None | Payload::Value(_) => panic!("not an array: {packet:?}"),
        }
    }

    #[test]
    fn reads_every_part() {
        let packet = Packet::decode(r#"52-/admin,13["a",{"_placeholder":true,"num":0},2]"#).unwrap();
        assert_eq!(packet.kind, PacketType::BinaryEvent);
        assert_eq!((packet.namespace, packet.id, packet.attachments), ("/admin", Some(13), 2));
        assert_eq!(elements(&packet), [r#""a""#, r#"{"_placeholder":true,"num":0}"#, "2"]);
    }

    #[test]
    fn reads_all_seven_types() {
        for (text, kind) in [
            ("0", PacketType::Connect),
            (r#"0/chat,{"token":"t"}"#, PacketType::Connect),
            ("1", PacketType::Disconnect),
            ("1/chat,", PacketType::Disconnect),
            (r#"2["x"]"#, PacketType::Event),
            ("30[]", PacketType::Ack),
            (r#"4{"message":"no"}"#, PacketType::ConnectError),
            (r#"51-["x",{"_placeholder":true,"num":0}]"#, PacketType::BinaryEvent),
            (r#"61-7[{"_placeholder":true,"num":0}]"#, PacketType::BinaryAck),
        ] {
            assert_eq!(Packet::decode(text).map(|packet| packet.kind), Ok(kind), "{text}");
        }
    }

    #[test]
    fn arguments_stay_as_they_were_written() {
        let packet = Packet::decode("2[ \"x\" , {\"b\": 1.0,\"a\":1,\"a\":1e400} ,\"\\ud800\" ]").unwrap();
        assert_eq!(elements(&packet), ["\"x\"", "{\"b\": 1.0,\"a\":1,\"a\":1e400}", "\"\\ud800\""]);
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        let deep = format!("2[\"x\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Packet::decode(&deep).is_ok());
    }

    #[test]
    fn names_the_reason_of_each_refusal() {
        for (text, error) in [
            ("", PacketError::Empty),
            ("7", PacketError::UnknownType),
            ("€abc", PacketError::UnknownType),
            ("abc", PacketError::UnknownType),
            ("0[]", PacketError::Shape),
            ("0\"a\"", PacketError::Shape),
            ("0null", PacketError::Shape),
            ("1{}", PacketError::Shape),
            ("2", PacketError::Json),
            ("2{}", PacketError::Shape),
            ("2[", PacketError::Json),
            ("2[\"x\"]x", PacketError::Json),
            ("2abc[\"x\"]", PacketError::Json),
            ("2[]", PacketError::EventName),
            ("2[{\"toString\":\"x\"}]", PacketError::EventName),
            ("2[null]", PacketError::EventName),
            ("2[\"connect\"]", PacketError::EventName),
            ("2[\"dis\\u0063onnect\"]", PacketError::EventName),
            ("29007199254740992[\"x\"]", PacketError::AckId),
            ("5[\"x\"]", PacketError::Attachments),
            ("50-[\"x\"]", PacketError::Attachments),
            ("5-[\"x\"]", PacketError::Attachments),
            ("51e0-[\"x\"]", PacketError::Attachments),
            ("5+1-[\"x\"]", PacketError::Attachments),
            ("599999999-[\"x\"]", PacketError::Attachments),
        ] {
            assert_eq!(Packet::decode(text).map(|_| ()), Err(error), "{text}");
        }
    }

    #[test]
    fn numbers_and_the_name_error_are_ordinary_events() {
        for text in ["2[1]", "2[-1.5,null]", "2[\"error\"]", "2/,[\"a\"]"] {
            assert!(Packet::decode(text).is_ok(), "{text}");
        }
    }
}
