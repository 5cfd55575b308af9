//! Outgoing packets, as Engine.IO messages (`4` and the Socket.IO packet).
//!
//! Arguments are JSON already; namespaces are known to be served and need no escaping.

/// CONNECT to the client: it has joined, `sid` is its socket id.
pub(crate) fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> String {
    let (prefix, end) = prefix(namespace);
    let pid = pid.map_or(String::new(), |pid| format!(r#","pid":"{pid}""#));
    format!(r#"40{prefix}{end}{{"sid":"{sid}"{pid}}}"#)
}

/// CONNECT_ERROR; `error` is an object with a `message`.
pub(crate) fn connect_error(namespace: &str, error: &str) -> String {
    let (prefix, end) = prefix(namespace);
    format!("44{prefix}{end}{error}")
}

/// DISCONNECT from a namespace.
pub(crate) fn disconnect(namespace: &str) -> String {
    let (prefix, end) = prefix(namespace);
    format!("41{prefix}{end}")
}

/// ACK to a client as an Engine.IO message, `43[arguments]` in the main namespace (Socket.IO v5,
/// "Acknowledgement"). `arguments` are JSON values joined by commas, `attachments` is how many binary frames
/// follow.
pub fn ack(namespace: &str, id: u64, arguments: &str, attachments: usize) -> String {
    let (prefix, end) = prefix(namespace);
    match attachments {
        0 => format!("43{prefix}{end}{id}[{arguments}]"),
        attachments => format!("46{attachments}-{prefix}{end}{id}[{arguments}]"),
    }
}

/// The main namespace is not written.
pub(crate) fn prefix(namespace: &str) -> (&str, &str) {
    if namespace == "/" { ("", "") } else { (namespace, ",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Emission, Packet, PacketType, engine::Frame};

    fn event<'a>(name: &'a str, arguments: &'a str) -> Emission<'a> {
        let arguments = Frame { relayed: arguments, ..Frame::default() };
        Emission { name: name.into(), arguments, ..Emission::default() }
    }

    #[test]
    fn packets_are_the_specifications() {
        assert_eq!(connect("/", "x", None), r#"40{"sid":"x"}"#);
        assert_eq!(connect("/custom", "x", Some("p")), r#"40/custom,{"sid":"x","pid":"p"}"#);
        assert_eq!(connect_error("/a", r#"{"message":"m"}"#), r#"44/a,{"message":"m"}"#);
        assert_eq!(disconnect("/"), "41");
        assert_eq!(event("offer", "1,null").frame("/").text(), r#"42["offer",1,null]"#);
        assert_eq!(event("x", "").frame("/admin").text(), r#"42/admin,["x"]"#);
        let binary = Emission { attachments: vec![[1].into()], ack: Some(7), ..event("x", "1") };
        assert_eq!(binary.frame("/a").text(), r#"451-/a,7["x",1]"#);
        assert_eq!(ack("/", 456, "{}", 0), "43456[{}]");
        assert_eq!(ack("/a", 0, "1", 2), "462-/a,0[1]");
    }

    #[test]
    fn what_is_written_can_be_read() {
        for (frame, kind) in [
            (event("x", "").frame("/y").text(), PacketType::Event),
            (ack("/", 0, "null", 0), PacketType::Ack),
            (connect("/y", "sid", None), PacketType::Connect),
            (disconnect("/y"), PacketType::Disconnect),
        ] {
            let packet = Packet::decode(frame.strip_prefix('4').unwrap()).unwrap();
            assert_eq!(packet.kind, kind, "{frame}");
        }
    }
}
