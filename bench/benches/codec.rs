//! What a frame costs without a runtime around it: decode, decide, encode.

#![allow(clippy::unwrap_used, reason = "a benchmark that panics has failed")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zetra_domain::{Claims, ObjectIds, RoomId, Timestamp, TokenFingerprint};
use zetra_signalling::{Admission, Credential, Effect, EventRate, Limits, Room};
use zetra_socketio::{Received, Session, Timing, packet::Packet};

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
        b.iter(|| zetra_socketio::event("offer", [black_box(value.as_str())]));
    });
    group.bench_function("ack", |b| b.iter(|| zetra_socketio::ack(black_box(7), r#"{"ok":true}"#)));
    group.finish();
}

/// From the frame to the effects: what the Room object does for each relayed offer.
fn relay(c: &mut Criterion) {
    let (mut room, mut session) = (room_of_two(), Session::open(0, Timing::default()));
    session.join("/");
    let frame = format!("4{}", offer());
    let mut now = 0;
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("offer of 2 KB, decode to effects", |b| {
        b.iter(|| {
            now += 20;
            let received =
                session.receive_text(black_box(&frame), now, Timing::default(), Default::default());
            let Ok(Received::Event { id, elements, .. }) = received else { panic!("no event") };
            let (name, arguments) = elements.split_first().unwrap();
            let effects = room.event(0, name, arguments, id, now);
            assert!(matches!(effects.as_slice(), [Effect::Emit { .. }]));
        });
    });
    group.finish();
}

fn room_of_two() -> Room {
    let id: RoomId = ROOM.parse().unwrap();
    let limits = Limits { max_present: 64, hold: 10_000, rate: EventRate::default() };
    let mut room = Room::restore(id, limits, [], Vec::new());
    let mut ids = ObjectIds::new([1; 8]);
    for peer in 0..2 {
        let user = ids.user(Timestamp::from_millis(0));
        let claims = Claims {
            user,
            username: "somebody".to_owned(),
            version: 0,
            expires_at: Timestamp::from_millis(i64::MAX),
            fingerprint: TokenFingerprint::stored(String::new()),
        };
        room.connect(peer, Credential::Token(claims));
        room.admit(peer, user, None, Admission::Participant);
    }
    room
}

criterion_group!(benches, decode, encode, relay);
criterion_main!(benches);
