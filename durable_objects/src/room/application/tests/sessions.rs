//! Clients whose connection is at a Session object.

use super::*;

#[test]
fn a_session_that_does_not_take_a_delivery_is_told_to_begin_anew() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    line.delivered();
    line.act(|room| room.session_unreachable("s", false, NOW));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.act(|room| room.session_unreachable("s", true, NOW));
    assert_eq!(line.delivered(), [], "once");
}

#[test]
fn a_session_that_does_not_take_its_clients_end_is_told_to_begin_anew() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    line.delivered();
    let revocation = Revocation { user: line.users[0], honoured: None };
    line.act(|room| room.revoke(&revocation, NOW));
    assert!(line.delivered().contains(&("s".to_owned(), Delivery::Disconnect)));
    line.act(|room| room.session_unreachable("s", false, NOW));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.act(|room| room.session_unreachable("s", true, NOW));
    assert_eq!(line.delivered(), [], "once");
}

#[test]
fn a_session_object_is_one_more_way_to_reach_a_peer() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.joins_from("s", 1);
    let connected = format!(r#"42["user-connected","{}"]"#, line.users[1]);
    assert_eq!(line.events(first), [connected]);
    let told = line.delivered();
    let [(session, Delivery::Joined { joined: true, mark, frames })] = &told[..] else {
        panic!("all that is told of a join comes at once: {told:?}")
    };
    let next = mark + 1;
    assert!(session == "s" && frames.last().unwrap().starts_with("431["), "{frames:?}");
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    let [(session, Delivery::Frame { mark, frame })] = &line.delivered()[..] else { panic!("one frame") };
    assert_eq!((session.as_str(), split(frame).0.as_str(), *mark), ("s", r#"42["offer",1]"#, next));
    let arguments = vec![format!("\"{}\"", room_id()), "2".to_owned()];
    line.tells("s", FromSession::Event { name: "\"answer\"".to_owned(), arguments, ack: None });
    assert_eq!(line.events(first), [r#"42["answer",2]"#]);
    line.tells("s", FromSession::Gone(Departure::Left));
    assert_eq!(line.events(first), [format!(r#"42["user-disconnected","{}","left"]"#, line.users[1])]);
}

#[test]
fn a_session_whose_client_leaves_the_room_is_told_and_forgotten() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.joins_from("s", 1);
    line.delivered();
    line.heard.clear();
    let leave = FromSession::Event { name: "\"leave-room\"".to_owned(), arguments: Vec::new(), ack: Some(2) };
    line.tells("s", leave);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Frame { .. }), (_, Delivery::Left)]), "{told:?}");
    assert_eq!(line.events(first), [format!(r#"42["user-disconnected","{}","left"]"#, line.users[1])]);
    assert_eq!(line.stored.len(), 1);
    line.joins_from("s", 0);
    assert!(line.heard(first)[0].contains("replaced"), "a tab that is replaced has left as well");
    line.joins_from("t", 0);
    let told = line.delivered();
    assert!(told.contains(&("s".to_owned(), Delivery::Left)), "{told:?}");
}

#[test]
fn a_refused_join_of_a_session_leaves_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    line.deleted.push(line.users[1]);
    line.joins_from("s", 1);
    let told = line.delivered();
    let [(_, Delivery::Joined { joined: false, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(frames[0].contains("not_participant"), "{frames:?}");
    assert_eq!((line.stored.len(), line.rows, line.alarm), (0, 0, None));
    for (ack, expected) in [(Some(3), "433["), (None, "42[\"error\",")] {
        let arguments = Vec::new();
        line.tells("s", FromSession::Event { name: "\"offer\"".to_owned(), arguments, ack });
        let told = line.delivered();
        let [(_, Delivery::Stranger(Some(frame)))] = &told[..] else { panic!("{told:?}") };
        assert!(frame.starts_with(expected) && frame.contains("not_in_room"), "{frame}");
    }
}

#[test]
fn what_the_client_of_a_session_has_sent_elsewhere_counts_here() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    // 250 events at once.
    let rate = serde_json::from_value(serde_json::json!({ "ahead": (NOW + 5_000) * 1_000 })).unwrap();
    line.joins_from_with("s", 1, rate);
    let told = line.delivered();
    let [(_, Delivery::Joined { joined: false, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(frames[0].contains("rate_limited"), "{frames:?}");
}

#[test]
fn a_session_whose_token_has_died_does_not_join_and_is_ended() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.tokens.version = 1;
    line.joins_from("s", 0);
    let told = line.delivered();
    let [(_, Delivery::Frame { frame: refused, .. }), (session, Delivery::Disconnect)] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(session == "s" && refused.contains("token_revoked"), "{told:?}");
    assert_eq!((line.events(bob), line.stored.len()), (Vec::new(), 1), "nobody was told, nothing is left");
}

#[test]
fn a_join_or_recovery_that_is_under_way_when_the_token_dies_is_refused() {
    let mut line = Line::new(SocketAuth::Required);
    line.joins_from("s", 0);
    let (recovery, user) = (Recovery { pid: "s.pid".to_owned(), offset: line.offset_of("s") }, line.users[0]);
    let credential = line.credential(0);
    let (sid, pid) = ("t-sid".to_owned(), "t.pid".to_owned());
    let connection = String::new();
    let recovering = Recovering { recovery, credential: credential.clone(), sid, pid, connection };
    line.tells("t", FromSession::Recover(recovering));
    let arguments = vec![format!("\"{}\"", room_id())];
    let (sid, pid) = ("u-sid".to_owned(), "u.pid".to_owned());
    line.tells(
        "u",
        FromSession::Join(Joining {
            sid,
            pid,
            credential,
            connection: String::new(),
            arguments,
            ack: Some(1),
            rate: Rate::default(),
        }),
    );
    // The store has answered with the previous tokens, and the answers are on their way.
    let questions = std::mem::take(&mut line.open);
    let honoured = Some(HonouredTokens { version: 1, kept: None });
    line.act(|room| room.revoke(&Revocation { user, honoured }, NOW));
    line.open = questions;
    line.answer_all();
    let told = line.delivered();
    assert!(told.contains(&("t".to_owned(), Delivery::NotRecovered)), "{told:?}");
    assert!(told.contains(&("u".to_owned(), Delivery::Disconnect)), "{told:?}");
    let is_in = |delivery: &Delivery| {
        matches!(delivery, Delivery::Joined { joined: true, .. } | Delivery::Recovered { .. })
    };
    assert!(!told.iter().any(|(_, delivery)| is_in(delivery)));
    assert!(line.stored.is_empty());
}

#[test]
fn a_peer_recovers_from_one_session_object_to_another() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.delivered();
    line.recovers_through("t", 2, "s.pid", &offset);
    assert_eq!(line.delivered(), [("t".to_owned(), Delivery::NotRecovered)]);
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(gone, Delivery::Abandon), (session, Delivery::Recovered { sid, frames, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((gone.as_str(), session.as_str(), sid.as_str()), ("s", "t", "s-sid"));
    let missed: Vec<String> = frames.iter().map(|frame| split(frame).0).collect();
    assert!(missed.ends_with(&[r#"42["offer",1]"#.to_owned()]), "{missed:?}");
    line.act(|room| room.session_unreachable("t", false, NOW));
    line.lives(&[bob], 10_000);
    assert!(line.events(bob).last().unwrap().contains("user-disconnected"));
}

#[test]
fn who_comes_back_late_through_a_session_object_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.tells("s", FromSession::Gone(Departure::Lost));
    line.lives(&[bob], 30_000);
    line.heard.clear();
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(session, Delivery::Joined { joined: true, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!((session.as_str(), frames.len()), ("t", 2));
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])]);
    // That session is lost before its client has heard of it.
    line.recovers_through("u", 0, "s.pid", &offset);
    let told = line.delivered();
    let [(left, Delivery::Abandon), (session, Delivery::Joined { joined: true, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((left.as_str(), session.as_str()), ("t", "u"));
    line.tells("u", FromSession::Gone(Departure::Left));
    assert_eq!(line.stored.len(), 1, "who said goodbye is not waited for");
}

#[test]
fn a_peer_recovers_from_either_kind_of_connection_to_the_other() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    line.recovers_through("t", 0, &pid, &offset);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Recovered { .. })]), "{told:?}");
    assert_eq!(line.closed.len(), 1, "the socket's place is taken");
    let here = returns(&mut line, 0, &pid, &offset);
    assert!(line.heard(here).last().unwrap().contains(&pid));
    assert_eq!(line.delivered(), [("t".to_owned(), Delivery::Abandon)]);
    assert_eq!(line.events(bob), Vec::<String>::new(), "nobody was told");
}
