//! What a client sends: events and their arguments.
//!
//! Parsing an event checks only its shape and size; whether the event is allowed is up to the room. Signalled
//! values and chat texts stay slices of the JSON they arrived in.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zetra_domain::{RoomId, UserId};
use zetra_json as json;

use crate::{Refusal, text};

/// Bytes of raw JSON of an offer or an answer.
const SDP_BYTES: usize = 256 * 1024;
/// Bytes of raw JSON of an ICE candidate.
const CANDIDATE_BYTES: usize = 8 * 1024;
/// Bytes of raw JSON of a target: it is sent back in the error if no such user is present.
const TARGET_BYTES: usize = 256;
/// The member of a form B value that names its sender. Only the server writes it.
const SENDER: &str = "senderId";
const CHAT_CODE_POINTS: usize = 4_000;
/// Code points of a name that a tokenless client gives itself in chat.
const NAME_CODE_POINTS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent<'a> {
    JoinRoom {
        room: RoomId,
        user: Option<UserId>,
    },
    LeaveRoom {
        room: Option<RoomId>,
    },
    Signal {
        kind: SignalKind,
        room: RoomId,
        signal: Signal<'a>,
    },
    /// `message` and `username` are JSON string literals.
    Chat {
        room: RoomId,
        message: &'a str,
        username: Option<&'a str>,
        user: Option<UserId>,
    },
    MediaState {
        room: RoomId,
        change: MediaChange,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    Offer,
    Answer,
    IceCandidate,
}

/// A signalled value, raw, in the form in which the client addressed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal<'a> {
    /// Form A: to everyone else.
    ToAll(&'a str),
    /// Form B: to one user. `target` is the JSON string that names the user; it may not be the id of any user.
    ToOne { value: &'a str, target: &'a str },
}

/// The media a peer reports sending. Until it reports otherwise, it is assumed to send audio and video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub audio: bool,
    pub video: bool,
    pub screen: bool,
}

/// Absent means unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaChange {
    pub audio: Option<bool>,
    pub video: Option<bool>,
    pub screen: Option<bool>,
}

impl Media {
    pub(crate) const UNTOLD: Self = Self { audio: true, video: true, screen: false };

    pub(crate) fn changed(self, change: MediaChange) -> Self {
        Self {
            audio: change.audio.unwrap_or(self.audio),
            video: change.video.unwrap_or(self.video),
            screen: change.screen.unwrap_or(self.screen),
        }
    }
}

impl SignalKind {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Offer, Self::Answer, Self::IceCandidate];

    pub fn event(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::IceCandidate => "ice-candidate",
        }
    }

    /// The key of the value in form B.
    pub fn key(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::IceCandidate => "candidate",
        }
    }

    fn max_bytes(self) -> usize {
        match self {
            Self::Offer | Self::Answer => SDP_BYTES,
            Self::IceCandidate => CANDIDATE_BYTES,
        }
    }
}

/// The name as it is repeated in an `error`.
pub(crate) fn known_name(raw: &str) -> Option<&'static str> {
    let name = raw.strip_prefix('"')?.strip_suffix('"')?;
    ClientEvent::NAMES.into_iter().find(|known| *known == name)
}

impl<'a> ClientEvent<'a> {
    /// The names of the events that a client may send.
    pub const NAMES: [&'static str; 7] =
        ["join-room", "leave-room", "offer", "answer", "ice-candidate", "chat-message", "media-state"];

    /// Parses the arguments, JSON values, of the event called `name`.
    ///
    /// # Errors
    /// A refusal if there is no event of that name, or the arguments do not fit it.
    pub fn parse(name: &'static str, arguments: &[&'a str]) -> Result<Self, Refusal> {
        let arguments = Arguments(arguments);
        match name {
            "join-room" => join_room(arguments).map_err(|_| Refusal::InvalidRoomOrUser),
            "leave-room" => Ok(Self::LeaveRoom { room: arguments.optional(0, room_id)? }),
            "offer" => signal(SignalKind::Offer, arguments),
            "answer" => signal(SignalKind::Answer, arguments),
            "ice-candidate" => signal(SignalKind::IceCandidate, arguments),
            "chat-message" => chat(arguments),
            "media-state" => media_state(arguments),
            _ => Err(Refusal::InvalidPayload),
        }
    }
}

fn join_room<'a>(arguments: Arguments<'_, 'a>) -> Result<ClientEvent<'a>, Refusal> {
    let room = room_id(arguments.required(0)?)?;
    Ok(ClientEvent::JoinRoom { room, user: arguments.optional(1, user_id)? })
}

fn signal<'a>(kind: SignalKind, arguments: Arguments<'_, 'a>) -> Result<ClientEvent<'a>, Refusal> {
    let first = arguments.required(0)?;
    let (room, value, target) = if first.starts_with('{') {
        let [room, value, target] = members(first, ["roomId", kind.key(), "targetUserId"])?;
        let target = target.filter(|target| target.starts_with('"')).ok_or(Refusal::InvalidPayload)?;
        (room, value, Some(target))
    } else {
        (Some(first), arguments.0.get(1).copied(), None)
    };
    let room = room_id(room.ok_or(Refusal::InvalidPayload)?)?;
    let value = value.ok_or(Refusal::InvalidPayload)?;
    if value.len() > kind.max_bytes() || target.is_some_and(|target| target.len() > TARGET_BYTES) {
        return Err(Refusal::TooLarge);
    }
    let signal = match target {
        Some(target) => Signal::ToOne { value, target },
        // It would reach everybody looking exactly like form B from that user.
        None if names_a_sender(value) => return Err(Refusal::InvalidPayload),
        None => Signal::ToAll(value),
    };
    Ok(ClientEvent::Signal { kind, room, signal })
}

fn names_a_sender(value: &str) -> bool {
    let mut found = false;
    // A value that is not an object has no members.
    let _ = json::members(value, |key, _| found |= spells(key, SENDER));
    found
}

/// Whether a JSON string literal decodes to `text`, however it is escaped.
fn spells(literal: &str, text: &str) -> bool {
    if literal.contains('\\') {
        // Text that serde_json cannot decode (a lone surrogate) never equals one of ours.
        return string(literal).is_ok_and(|decoded| decoded == text);
    }
    literal.trim_matches('"') == text
}

fn chat<'a>(arguments: Arguments<'_, 'a>) -> Result<ClientEvent<'a>, Refusal> {
    let room = room_id(arguments.required(0)?)?;
    let message = arguments.required(1)?;
    match text::code_points(message) {
        None | Some(0) => return Err(Refusal::InvalidPayload),
        Some(count) if count > CHAT_CODE_POINTS => return Err(Refusal::TooLarge),
        Some(_) => {}
    }
    let username = arguments.optional(2, |name| {
        let fits = text::code_points(name).is_some_and(|count| count <= NAME_CODE_POINTS);
        fits.then_some(name).ok_or(Refusal::InvalidPayload)
    })?;
    Ok(ClientEvent::Chat { room, message, username, user: arguments.optional(3, user_id)? })
}

fn media_state<'a>(arguments: Arguments<'_, 'a>) -> Result<ClientEvent<'a>, Refusal> {
    let [room, audio, video, screen] =
        members(arguments.required(0)?, ["roomId", "audio", "video", "screen"])?;
    let flag = |value: Option<&str>| match value {
        None | Some("null") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Refusal::InvalidPayload),
    };
    Ok(ClientEvent::MediaState {
        room: room_id(room.ok_or(Refusal::InvalidPayload)?)?,
        change: MediaChange { audio: flag(audio)?, video: flag(video)?, screen: flag(screen)? },
    })
}

#[derive(Clone, Copy)]
struct Arguments<'s, 'a>(&'s [&'a str]);

impl<'a> Arguments<'_, 'a> {
    fn required(self, index: usize) -> Result<&'a str, Refusal> {
        self.0.get(index).copied().ok_or(Refusal::InvalidPayload)
    }

    /// `None` if absent or `null`.
    fn optional<T>(
        self,
        index: usize,
        read: impl FnOnce(&'a str) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        self.0.get(index).copied().filter(|value| *value != "null").map(read).transpose()
    }
}

fn room_id(value: &str) -> Result<RoomId, Refusal> {
    string(value)?.parse().map_err(|_| Refusal::InvalidPayload)
}

pub(crate) fn user_id(value: &str) -> Result<UserId, Refusal> {
    string(value)?.parse().map_err(|_| Refusal::InvalidPayload)
}

fn string(value: &str) -> Result<Cow<'_, str>, Refusal> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    let text: Borrowed<'_> = serde_json::from_str(value).map_err(|_| Refusal::InvalidPayload)?;
    Ok(text.0)
}

/// The members of a JSON object under the given keys. If a key is repeated the last one counts, as in
/// JavaScript; other keys are skipped.
fn members<'a, const N: usize>(
    object: &'a str,
    keys: [&'static str; N],
) -> Result<[Option<&'a str>; N], Refusal> {
    let mut found = [None; N];
    json::members(object, |key, value| {
        // A key that is spelt with escapes is not one of ours.
        let key = key.trim_matches('"');
        if let Some((slot, _)) = found.iter_mut().zip(keys).find(|(_, known)| *known == key) {
            *slot = Some(value);
        }
    })
    .ok_or(Refusal::InvalidPayload)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";
    const USER: &str = "6553f1000102030405060708";

    fn parse(name: &'static str, arguments: &str) -> Result<String, Refusal> {
        let arguments = json::elements(arguments).unwrap();
        ClientEvent::parse(name, &arguments).map(|event| format!("{event:?}"))
    }

    fn value_of(name: &'static str, arguments: &str) -> String {
        let arguments = json::elements(arguments).unwrap();
        match ClientEvent::parse(name, &arguments) {
            Ok(ClientEvent::Signal {
                signal: Signal::ToAll(value) | Signal::ToOne { value, .. }, ..
            }) => value.to_owned(),
            other => panic!("no signal: {other:?}"),
        }
    }

    #[test]
    fn both_forms_keep_the_value_as_it_was_written() {
        for value in ["null", "{\"b\":1.0, \"a\":1,\"a\":2}", "\"\\ud800\"", "1e400", "[ ]"] {
            assert_eq!(value_of("offer", &format!("[\"{ROOM}\", {value} ]")), value);
            let object =
                format!(r#"[{{"targetUserId":"{USER}","candidate":{value},"x":0,"roomId":"{ROOM}"}}]"#);
            assert_eq!(value_of("ice-candidate", &object), value);
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_counts() {
        let object =
            format!(r#"[{{"roomId":"x","roomId":"{ROOM}","offer":1,"offer":2,"targetUserId":"{USER}"}}]"#);
        assert_eq!(value_of("offer", &object), "2");
    }

    #[test]
    fn missing_and_malformed_arguments_are_refused() {
        for (name, arguments) in [
            ("offer", "[]".to_owned()),
            ("offer", format!("[\"{ROOM}\"]")),
            ("offer", "[\"nonsense\",1]".to_owned()),
            ("offer", "[7,1]".to_owned()),
            ("answer", format!(r#"[{{"roomId":"{ROOM}","answer":1}}]"#)),
            ("answer", format!(r#"[{{"roomId":"{ROOM}","offer":1,"targetUserId":"{USER}"}}]"#)),
            ("answer", format!(r#"[{{"roomId":"{ROOM}","answer":1,"targetUserId":7}}]"#)),
            ("chat-message", format!("[\"{ROOM}\",7]")),
            ("chat-message", format!("[\"{ROOM}\",\"\"]")),
            ("chat-message", format!("[\"{ROOM}\",\"a\\u0000\"]")),
            ("chat-message", format!("[\"{ROOM}\",\"a\",{{}}]")),
            ("media-state", format!(r#"[{{"roomId":"{ROOM}","audio":"yes"}}]"#)),
            ("media-state", format!("[\"{ROOM}\"]")),
            ("leave-room", "[7]".to_owned()),
        ] {
            assert_eq!(parse(name, &arguments), Err(Refusal::InvalidPayload), "{name} {arguments}");
        }
        for arguments in
            ["[]", "[null]", "[\"x\"]", &format!("[\"{ROOM}\",\"x\"]"), &format!("[\"{ROOM}\",7]")]
        {
            assert_eq!(parse("join-room", arguments), Err(Refusal::InvalidRoomOrUser), "{arguments}");
        }
    }

    #[test]
    fn form_a_may_not_name_a_sender_however_it_is_spelt() {
        for value in [
            r#"{"senderId":"bob","offer":1}"#,
            r#"{"offer":1, "senderId" :null}"#,
            r#"{"\u0073enderId":"bob"}"#,
            r#"{"s\u0065nder\u0049d":"bob"}"#,
            r#"{"a":1,"senderId":1,"senderId":2}"#,
        ] {
            for name in ["offer", "answer", "ice-candidate"] {
                let arguments = format!("[\"{ROOM}\",{value}]");
                assert_eq!(parse(name, &arguments), Err(Refusal::InvalidPayload), "{name} {value}");
            }
        }
        for value in [
            r#""senderId""#,
            r#"["senderId"]"#,
            r#"{"offer":{"senderId":"bob"}}"#,
            r#"{"SenderId":1}"#,
            r#"{"senderId ":1}"#,
            r#"{"\ud800senderId":1}"#,
        ] {
            assert_eq!(value_of("offer", &format!("[\"{ROOM}\",{value}]")), value);
        }
        let form_b =
            format!(r#"[{{"roomId":"{ROOM}","offer":{{"senderId":"bob"}},"targetUserId":"{USER}"}}]"#);
        assert!(parse("offer", &form_b).is_ok(), "the server writes the sender beside it");
    }

    #[test]
    fn a_target_is_any_string() {
        let arguments = format!(r#"[{{"roomId":"{ROOM}","offer":1,"targetUserId":"me"}}]"#);
        assert!(parse("offer", &arguments).is_ok());
        let long =
            format!(r#"[{{"roomId":"{ROOM}","offer":1,"targetUserId":"{}"}}]"#, "x".repeat(TARGET_BYTES));
        assert_eq!(parse("offer", &long), Err(Refusal::TooLarge));
    }

    #[test]
    fn sizes_are_bounded() {
        let big = |bytes: usize| format!("[\"{ROOM}\",\"{}\"]", "x".repeat(bytes - 2));
        assert!(parse("offer", &big(SDP_BYTES)).is_ok());
        assert_eq!(parse("offer", &big(SDP_BYTES + 1)), Err(Refusal::TooLarge));
        assert!(parse("ice-candidate", &big(CANDIDATE_BYTES)).is_ok());
        assert_eq!(parse("ice-candidate", &big(CANDIDATE_BYTES + 1)), Err(Refusal::TooLarge));
        assert!(parse("chat-message", &big(CHAT_CODE_POINTS + 2)).is_ok());
        assert_eq!(parse("chat-message", &big(CHAT_CODE_POINTS + 3)), Err(Refusal::TooLarge));
    }
}
