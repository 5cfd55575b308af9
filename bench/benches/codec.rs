//! What a frame costs without a runtime around it: decode, decide, encode.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that panics has failed")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zetra_domain::{
    Admission, HonouredTokens, Membership, ObjectIds, RoomId, SigningSecret, Timestamp, TokenKey,
};
use zetra_durable_objects::{Asker, Authenticator, RoomApplication, RoomSettings, StoredRoom, Verification};
use zetra_runtime::{GuestLimits, SocketAuth};
use zetra_signalling::{EventRate, Limits, PeerId};
use zetra_socketio::{
    Emission, LogLimits, SocketId, SocketIo, ack,
    engine::{
        Action, Frame, LinkId, Message, Method, Opening, Query, Reception, RequestId, Server, Settings,
    },
    packet::Packet,
};

const ROOM: &str = "a987fbc9-4bed-4078-8f07-9141ba07c9f3";

/// A session description of about 2 KB, as browsers make them.
fn offer() -> String {
    let sdp = "a=candidate:1 1 udp 2122260223 192.0.2.1 46154 typ host\\r\\n".repeat(36);
    format!(r#"2["offer","{ROOM}",{{"type":"offer","sdp":"v=0\r\n{sdp}"}}]"#)
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let frames = [
        ("offer of 2 KB", offer()),
        (
            "candidate",
            format!(
                r#"2["ice-candidate","{ROOM}",{{"candidate":"candidate:1 1 udp 1 192.0.2.1 4 typ host","sdpMid":"0"}}]"#
            ),
        ),
        ("ack", r#"37[{"ok":true}]"#.to_owned()),
        (
            "binary header",
            r#"52-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#.to_owned(),
        ),
        ("hostile: nesting 100,000 deep", format!("2[\"x\",{}{}]", "[".repeat(100_000), "]".repeat(100_000))),
        ("hostile: 100,000 elements", format!("2[\"x\"{}]", ",1".repeat(100_000))),
        ("hostile: broken at the end", format!("2[\"x\",\"{}", "y".repeat(100_000))),
    ];
    for (name, frame) in &frames {
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(*name, |b| b.iter(|| Packet::decode(black_box(frame)).is_ok()));
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let value = offer();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Bytes(value.len() as u64));
    group.bench_function("offer of 2 KB", |b| {
        b.iter(|| {
            let arguments = Frame { relayed: black_box(value.as_str()), ..Frame::default() };
            Emission { name: "offer".into(), arguments, ..Emission::default() }.frame("/").text()
        });
    });
    group.bench_function("ack", |b| b.iter(|| ack("/", black_box(7), r#"{"ok":true}"#, 0)));
    group.finish();
}

/// From the frame to the actions: all that the Room object decides for each relayed offer.
fn relay(c: &mut Criterion) {
    let (mut room, [caller, callee]) = room_of_two();
    let frame = format!("4{}", offer());
    let mut now = 0;
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("offer of 2 KB, frame to actions", |b| {
        b.iter(|| {
            now += 20;
            let actions = room.receive_text(caller, black_box(&frame), now);
            let relays = |action: &_| matches!(action, Action::Send { to, .. } if to.contains(&callee));
            assert!(actions.iter().any(relays), "nothing was relayed: {actions:?}");
            // After so many bytes the server asks whether they arrived.
            let ping = Message::text("2".to_owned());
            let asks = |action: &_| matches!(action, Action::Send { message, .. } if *message == ping);
            if actions.iter().any(asks) {
                room.receive_text(callee, "3", now);
            }
        });
    });
    group.finish();
}

/// Two people in a room, and their links.
fn room_of_two() -> (Server<SocketIo<RoomApplication>>, [LinkId; 2]) {
    let secret = SigningSecret::new("0123456789abcdef0123456789abcdef".to_owned().into()).unwrap();
    let key = TokenKey::new(&secret);
    let limits = Limits { max_present: 64, hold: 10_000, rate: EventRate::default() };
    let log = LogLimits { max_events: 512, max_bytes: 1_000_000, max_total_bytes: 4_000_000 };
    let authenticator = Authenticator { token_key: key.clone(), socket_auth: SocketAuth::Required };
    let guests = GuestLimits { per_address: 32, per_user: 4, total: 256 };
    let settings = RoomSettings {
        noticed_within: 95_000,
        authenticator,
        limits,
        log,
        rejoin: 0,
        guests,
        new_id: || "id".to_owned(),
        object_ids: ObjectIds::new([2; 8]),
        has_webhook: false,
    };
    let id: RoomId = ROOM.parse().unwrap();
    let mut room = Server::restore(Settings::default(), Vec::new(), |kept| {
        SocketIo::restore(zetra_socketio::Limits::default(), kept, |connected| {
            RoomApplication::restore(Some(id), settings, StoredRoom::default(), connected, 0)
        })
    });
    let mut ids = ObjectIds::new([1; 8]);
    let query = Query::parse([("transport", "websocket"), ("EIO", "4")]);
    let links = [0, 1].map(|socket| {
        let user = ids.user(Timestamp::from_millis(0));
        let token = key.issue(user, "somebody", 0, [0; 9], Timestamp::from_millis(0));
        let opening = Some(Opening { sid: "sid", handshake: "{}" });
        let (reception, _) = room.request(RequestId(0), &query, Method::Upgrade, false, opening, 0);
        let Reception::WebSocket(link) = reception else { panic!("no WebSocket") };
        room.receive_text(link, &format!(r#"40{{"token":"{token}"}}"#), 0);
        let tokens = HonouredTokens { version: 0, kept: None };
        let known = Verification::Account(tokens.clone());
        room.act(0, |protocol, out| {
            protocol.act(0, out, |app| app.verified(Asker::Socket(SocketId(socket)), known, 0));
        });
        let admission = Admission { membership: Membership::Participant, tokens: Some(tokens) };
        room.receive_text(link, &format!(r#"42["join-room","{ROOM}"]"#), 0);
        room.act(0, |protocol, out| {
            protocol.act(0, out, |app| app.admitted(PeerId(socket), user, None, Some(admission), 0));
        });
        link
    });
    (room, links)
}

criterion_group!(benches, decode, encode, relay);
criterion_main!(benches);
