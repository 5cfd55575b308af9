//! Packets on their way out, as whole WebSocket text frames (Engine.IO `4` and Socket.IO packet).
//!
//! Arguments are JSON already; names and namespaces are the caller's constants and need no escape.

use std::fmt::Write;

/// Engine.IO packets that carry nothing.
pub mod engine {
    pub const PING: &str = "2";
}

/// Engine.IO `open`, the first frame of a session: durations in milliseconds, `max_payload` in bytes.
pub fn open(sid: &str, upgrades: &str, ping_interval: u64, ping_timeout: u64, max_payload: usize) -> String {
    format!(
        r#"0{{"sid":"{sid}","upgrades":[{upgrades}],"pingInterval":{ping_interval},"pingTimeout":{ping_timeout},"maxPayload":{max_payload}}}"#
    )
}

/// CONNECT to the client: it is in, `sid` is its socket id.
pub fn connect(namespace: &str, sid: &str) -> String {
    format!(r#"40{}{{"sid":"{sid}"}}"#, prefix(namespace))
}

/// CONNECT_ERROR; `error` is an object with a `message`.
pub fn connect_error(namespace: &str, error: &str) -> String {
    format!("44{}{error}", prefix(namespace))
}

/// DISCONNECT from a namespace.
pub fn disconnect(namespace: &str) -> String {
    format!("41{}", prefix(namespace))
}

/// EVENT in the main namespace without an ack id.
pub fn event<'a>(name: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
    let mut frame = String::with_capacity(bytes + name.len() + 6);
    frame.push_str("42[\"");
    frame.push_str(name);
    frame.push('"');
    for argument in arguments {
        frame.push(',');
        frame.push_str(argument);
    }
    frame.push(']');
    frame
}

/// ACK in the main namespace with one argument.
pub fn ack(id: u64, argument: &str) -> String {
    let mut frame = String::with_capacity(argument.len() + 24);
    // Writing to a String cannot fail.
    let _ = write!(frame, "43{id}[{argument}]");
    frame
}

fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Packet, PacketType};

    #[test]
    fn frames_are_the_specifications() {
        assert_eq!(
            open("abc", "\"websocket\"", 25_000, 20_000, 1_000_000),
            r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        assert_eq!(connect("/", "x"), r#"40{"sid":"x"}"#);
        assert_eq!(connect("/custom", "x"), r#"40/custom,{"sid":"x"}"#);
        assert_eq!(connect_error("/a", r#"{"message":"m"}"#), r#"44/a,{"message":"m"}"#);
        assert_eq!(disconnect("/"), "41");
        assert_eq!(event("offer", ["1", "null"]), r#"42["offer",1,null]"#);
        assert_eq!(ack(456, "{}"), "43456[{}]");
    }

    #[test]
    fn what_is_written_can_be_read() {
        for (frame, kind) in [
            (event("x", []), PacketType::Event),
            (ack(0, "null"), PacketType::Ack),
            (connect("/y", "sid"), PacketType::Connect),
            (disconnect("/y"), PacketType::Disconnect),
        ] {
            let packet = Packet::decode(frame.strip_prefix('4').unwrap()).unwrap();
            assert_eq!(packet.kind, kind, "{frame}");
        }
    }
}
