//! A packet that can be read is the same when it is written and read again, its parts are JSON, and a binary one is
//! complete with its last attachment, not before.

use zetra_json as json;
use zetra_socketio::{Attachments, Packet, RESERVED_EVENTS, packet::Payload};

const MAX_ATTACHMENTS: usize = 10;
const ATTACHMENT: usize = 3;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(packet) = Packet::decode(text) else { return };
    let again = written(&packet);
    let reread = Packet::decode(&again).expect("what was read can be read again");
    assert_eq!(format!("{reread:?}"), format!("{packet:?}"));
    assert!(packet.namespace.starts_with('/') && packet.id.is_none_or(|id| id < 1 << 53));
    assert_eq!(packet.kind.is_binary(), packet.attachments > 0);
    match &packet.payload {
        Payload::None => {}
        Payload::Value(value) => assert_eq!(json::value(value), Some(*value)),
        Payload::Array(elements) => {
            elements.iter().for_each(|element| assert_eq!(json::value(element), Some(*element)));
            if let Some(Ok(name)) = elements.first().map(|name| serde_json::from_str::<String>(name))
                && matches!(packet.kind.digit(), '2' | '5')
            {
                assert!(!RESERVED_EVENTS.contains(&name.as_str()), "{name} is the library's own");
            }
        }
    }
    if packet.kind.is_binary() {
        assembles(text, &packet);
    }
}

fn written(packet: &Packet<'_>) -> String {
    let attachments =
        if packet.kind.is_binary() { format!("{}-", packet.attachments) } else { String::new() };
    let namespace = if packet.namespace == "/" { String::new() } else { format!("{},", packet.namespace) };
    let id = packet.id.map_or(String::new(), |id| id.to_string());
    let payload = match &packet.payload {
        Payload::None => String::new(),
        Payload::Value(value) => (*value).to_owned(),
        Payload::Array(elements) => format!("[{}]", elements.join(",")),
    };
    format!("{}{attachments}{namespace}{id}{payload}", packet.kind.digit())
}

fn assembles(text: &str, packet: &Packet<'_>) {
    let announced = Attachments::announced(text, packet, MAX_ATTACHMENTS);
    let Ok(mut pending) = announced else { return };
    assert!((1..=MAX_ATTACHMENTS).contains(&packet.attachments));
    for number in 1..=packet.attachments {
        let fits = ATTACHMENT * packet.attachments;
        assert_eq!(pending.push(vec![0; ATTACHMENT], fits), Ok(number == packet.attachments));
        assert_eq!(pending.bytes(), text.len() + ATTACHMENT * number);
    }
    let (announcement, attachments) = pending.into_parts();
    assert_eq!((announcement.as_str(), attachments.len()), (text, packet.attachments));
}
