//! What is stored, how many rows that costs, and what a restored object makes of it.

use super::*;

#[test]
fn sleep_changes_nothing() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    let guest = line.opens(None);
    let token = line.token(3);
    line.says(guest, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    let gone = line.enters(2);
    line.waits(5_000);
    line.closes(gone, None);
    line.attached.remove(&gone);
    line.sleeps();
    line.heard.clear();
    line.says(first, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(second), [r#"42["offer",1]"#]);
    line.says(guest, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert!(line.events(guest).iter().any(|event| event.contains("existing-users")), "who had not joined");
    line.heard.clear();
    line.waits(10_000);
    assert_eq!(line.events(second), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[2])]);
}

#[test]
fn rows_that_are_written() {
    // `cargo xtask cost` uses these numbers.
    let counts: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../tests/counts.json")).unwrap();
    let stated = |entry: &str| counts[entry]["objectRowsWritten"].as_u64().unwrap() as usize;
    assert_eq!((stated("heartbeat"), stated("burst")), (1, 5));

    let mut line = Line::new(SocketAuth::Required);
    // A handshake to a room that does not exist, and a connection that joins nothing.
    let query = Query::parse([("transport", "polling"), ("EIO", "4")]);
    let opening = Opening { sid: "polling", handshake: "{}" };
    let (_, actions) = line.server.request(RequestId(9), &query, Method::Get, false, Some(opening), NOW);
    line.perform(actions);
    assert_eq!(line.rows, 0, "a handshake");
    let mut line = Line::new(SocketAuth::Required);
    let guest = line.opens(None);
    line.closes(guest, Some(1001));
    assert_eq!((line.rows, line.stored.len(), line.alarm), (2, 0, None), "an alarm, and all deleted");

    let mut line = Line::new(SocketAuth::Required);
    let alone = line.enters(0);
    line.closes(alone, Some(1001));
    assert_eq!(line.rows, 5, "connect, join and leave of one");
    assert!(line.stored.is_empty() && line.log.is_empty() && line.alarm.is_none());

    let mut line = Line::new(SocketAuth::Required);
    let links = [line.enters(0), line.enters(1)];
    line.lives(&links, 60_000);
    let rows = |line: &mut Line| std::mem::take(&mut line.rows);
    rows(&mut line);
    line.lives(&links, 250_000);
    assert_eq!(rows(&mut line), 10 * stated("heartbeat"), "an idle room, over ten heartbeats");

    line.says(links[0], &format!(r#"42["offer","{}",1]"#, room_id()));
    line.lives(&links, 24_000);
    assert_eq!(rows(&mut line), stated("burst") + stated("heartbeat"), "a lone event, and the heartbeat");

    for number in 0..3_000 {
        line.says(links[number % 2], &format!(r#"42["offer","{}",{number}]"#, room_id()));
        line.lives(&links, 0);
        line.waits(100);
    }
    let steady = rows(&mut line);
    assert!(steady <= 90, "{steady} in 300 s of steady traffic: 0.3 a second");
}

#[test]
fn what_an_earlier_version_stored_is_read() {
    let mut line = Line::new(SocketAuth::Required);
    let (user, elsewhere) = (line.users[0], line.users[1]);
    let before = |peer: u32, user: usize, address: &str| {
        let joined = format!(r#"{{"u":"{}","s":{peer}}}"#, line.users[user]);
        let member = format!(r#"{{"s":"sid","r":"pid{peer}","a":{address}}}"#);
        let credential = serde_json::to_string(&line.credential(user)).unwrap();
        format!(r#"{{"i":{peer},"m":{member},"p":{{"c":{credential},"j":{joined},"r":{{"ahead":7}}}}}}"#)
    };
    let stored = [(PeerId(3), before(3, 0, r#"{"h":5}"#)), (PeerId(4), before(4, 1, r#"{"s":"session"}"#))];
    line.stored.extend(stored);
    line.log.insert(1, r#"{"tag":"a","reserved":3,"floor":0,"floors":[],"entries":[]}"#.to_owned());
    line.stored.insert(PeerId(5), "nonsense".to_owned());
    line.stored.insert(PeerId(6), r#"{"v":99,"room":"x"}"#.to_owned());
    line.crashes();
    assert_eq!(line.application().online(), [user, elsewhere]);
    let offset = format!("{}.a.1", room_id().compact());
    let again = returns(&mut line, 0, "pid3", &offset);
    rejoined(&mut line, again, "pid3", &[elsewhere]);
    let actions = line.server.tick(line.now);
    line.perform(actions);
    assert!(
        !line.stored.contains_key(&PeerId(5)) && !line.stored.contains_key(&PeerId(6)),
        "what cannot be read goes"
    );
}

#[test]
fn what_followed_from_a_loss_is_done_before_anything_else() {
    let mut line = Line::new(SocketAuth::Required);
    // All that is left is an old log: it is deleted, without anything of the next call.
    line.log.insert(0, r#"{"v":2,"tag":"a","log":null}"#.to_owned());
    line.alarm = None;
    line.crashes();
    let ann = line.enters(0);
    line.waits(6_000);
    assert_eq!((line.stored.len(), line.log.len()), (1, 1), "the storage was cleared first");
    line.sleeps();
    line.says(ann, &format!(r#"421["offer","{}",1]"#, room_id()));
    assert!(line.heard(ann).iter().any(|frame| frame.contains(r#"{"ok":true}"#)));
}

#[test]
fn a_member_whose_sockets_number_is_somebody_elses_now_is_lost() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.enters(1);
    line.waits(5_000);
    // Ann's row is read with bob's number in it, as after two losses in a row.
    let bob = line.stored.keys().max().copied().unwrap();
    let moved = line.stored[&PeerId(0)].replace(r#"{"h":0}"#, r#"{"h":1}"#);
    assert_ne!(moved, line.stored[&PeerId(0)]);
    line.stored.insert(PeerId(0), moved);
    line.attached.remove(&ann);
    line.sleeps();
    let held = |line: &Line, peer| line.application().room.peer(peer).unwrap().held_until().is_some();
    assert_eq!((held(&line, PeerId(0)), held(&line, bob)), (true, false));
}
