//! Prints how the codec decodes frames: one JSON line in, one out. `tests/e2e/codec.test.mjs` compares it with
//! the official parsers.
//!
//! In: `{"frames":["51-[…]",{"base64":"AQI="}]}` (Socket.IO packets without Engine.IO's `4`) or
//! `{"payload":"4a\u001e4b"}`.
//! Out: `{"verdict":"accepted"|"refused"|"pending","packets":[…]}`; the `json` of a packet is its payload as it
//! arrived.

use std::io::{BufRead, Write};

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::{Value, json};
use zetra_socketio::{
    Attachments, Packet, PacketError,
    engine::payload::{self, Part},
    packet::Payload,
};

const MAX_ATTACHMENTS: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Frames(Vec<Frame>),
    Payload(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Text(String),
    Binary { base64: String },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Question::Frames(frames) => of_frames(frames)?,
            Question::Payload(payload) => of_payload(&payload),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn of_frames(frames: Vec<Frame>) -> Result<Value, Box<dyn std::error::Error>> {
    let (mut packets, mut pending) = (Vec::new(), None::<Attachments>);
    for frame in frames {
        let read = match frame {
            Frame::Text(text) => read_text(&text, &mut pending),
            Frame::Binary { base64 } => {
                let bytes = Base64::decode_vec(&base64).map_err(|error| error.to_string())?;
                Ok(read_binary(bytes, &mut pending))
            }
        };
        match read {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) if pending.is_some() => {}
            Ok(None) | Err(_) => return Ok(json!({ "verdict": "refused", "packets": packets })),
        }
    }
    let verdict = if pending.is_some() { "pending" } else { "accepted" };
    Ok(json!({ "verdict": verdict, "packets": packets }))
}

fn read_text(text: &str, pending: &mut Option<Attachments>) -> Result<Option<Value>, PacketError> {
    if pending.take().is_some() {
        return Ok(None);
    }
    let packet = Packet::decode(text)?;
    if packet.kind.is_binary() {
        *pending = Some(Attachments::announced(text, &packet, MAX_ATTACHMENTS)?);
        return Ok(None);
    }
    Ok(Some(told(&packet, &[])))
}

/// `None` with nothing pending means refused.
fn read_binary(bytes: Vec<u8>, pending: &mut Option<Attachments>) -> Option<Value> {
    let mut attachments = pending.take()?;
    if attachments.push(bytes, usize::MAX) != Ok(true) {
        *pending = Some(attachments);
        return None;
    }
    let (announcement, attachments) = attachments.into_parts();
    Packet::decode(&announcement).ok().map(|packet| told(&packet, &attachments))
}

fn told(packet: &Packet<'_>, attachments: &[Vec<u8>]) -> Value {
    let json = match &packet.payload {
        Payload::None => None,
        Payload::Value(value) => Some((*value).to_owned()),
        Payload::Array(elements) => Some(format!("[{}]", elements.join(","))),
    };
    let attachments: Vec<String> = attachments.iter().map(|bytes| Base64::encode_string(bytes)).collect();
    json!({
        "type": packet.kind.digit().to_string(),
        "nsp": packet.namespace,
        "id": packet.id,
        "json": json,
        "attachments": attachments,
    })
}

fn of_payload(text: &str) -> Value {
    let mut packets = Vec::new();
    for part in payload::split(text) {
        packets.push(match part {
            Some(Part::Text(text)) if text.starts_with(['0', '1', '2', '3', '4', '5', '6']) => {
                json!({ "text": text })
            }
            Some(Part::Binary(bytes)) => json!({ "base64": Base64::encode_string(&bytes) }),
            Some(Part::Text(_)) | None => return json!({ "verdict": "refused", "packets": packets }),
        });
    }
    json!({ "verdict": "accepted", "packets": packets })
}
