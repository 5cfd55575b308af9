//! A store that fails: whoever waits for it is told so and may try again, and nobody else notices.

use super::*;

const UNAVAILABLE: &str = "store_unavailable";

/// Connects, and the store confirms the token.
fn connects(line: &mut Line, user: usize) -> LinkId {
    let link = line.opens(None);
    let token = line.token(user);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    line.heard.clear();
    link
}

fn joins(line: &mut Line, link: LinkId, ack: &str) -> Vec<String> {
    line.says(link, &format!(r#"42{ack}["join-room","{}"]"#, room_id()));
    line.answer_all();
    line.events(link)
}

/// The two in the room go on as if nothing were the matter.
fn relays(line: &mut Line, from: LinkId, to: LinkId) {
    line.says(from, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(to), [r#"42["offer",1]"#], "and nothing else was heard");
    assert_eq!(line.closed, []);
}

#[test]
fn who_connects_meanwhile_is_refused_with_its_code_and_may_connect_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.heard.clear();
    line.store_is_down = true;
    let link = line.opens(None);
    let token = line.token(2);
    for _ in 0..2 {
        line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
        line.answer_all();
        let refused = r#"44{"message":"Database unavailable","data":{"code":"store_unavailable"}}"#;
        assert_eq!(line.heard(link), [refused]);
        relays(&mut line, ann, bob);
    }
    line.store_is_down = false;
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    assert!(line.heard(link)[0].starts_with("40{"), "over the same connection");
    assert_eq!(line.stored.len(), 2);
}

#[test]
fn a_join_meanwhile_gets_its_error_and_may_be_repeated() {
    for ack in ["", "7"] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, bob) = (line.enters(0), line.enters(1));
        let cat = connects(&mut line, 2);
        line.store_is_down = true;
        for _ in 0..2 {
            let heard = joins(&mut line, cat, ack);
            let expected = if ack.is_empty() { r#"42["error","# } else { r#"437[{"ok":false"# };
            assert!(heard.len() == 1 && heard[0].starts_with(expected), "{heard:?}");
            assert!(heard[0].contains(UNAVAILABLE), "{heard:?}");
            relays(&mut line, ann, bob);
        }
        assert_eq!((line.stored.len(), line.application().online().len()), (2, 2));
        line.store_is_down = false;
        let heard = joins(&mut line, cat, ack);
        assert!(heard.iter().any(|frame| frame.starts_with(r#"42["existing-users""#)), "{heard:?}");
        assert_eq!(line.events(ann), [format!(r#"42["user-connected","{}"]"#, line.users[2])], "once");
        assert_eq!((line.stored.len(), line.application().online().len()), (3, 3));
    }
}

#[test]
fn a_join_through_a_session_object_meanwhile_leaves_nothing_and_may_be_repeated() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.heard.clear();
    line.store_is_down = true;
    line.joins_from("s", 2);
    let told = line.delivered();
    let [(_, Delivery::Joined { joined: false, frames, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(frames[0].starts_with("431[{\"ok\":false") && frames[0].contains(UNAVAILABLE), "{frames:?}");
    assert_eq!(line.stored.len(), 2);
    relays(&mut line, ann, bob);
    line.store_is_down = false;
    line.joins_from("s", 2);
    assert!(matches!(&line.delivered()[..], [(_, Delivery::Joined { joined: true, .. })]));
    assert_eq!((line.stored.len(), line.application().online().len()), (3, 3));
}

#[test]
fn who_comes_back_meanwhile_keeps_its_place_and_recovers_what_it_missed() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.heard.clear();
    line.store_is_down = true;
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed, [], "at once it would come at once");
    line.lives(&[bob], TURNED_AWAY_MS);
    // Refused, it would not try again by itself; as a new client it would be in no room, and would not know.
    assert_eq!((line.heard(again), line.closed.clone()), (vec![], vec![(again, None)]), "it reconnects");
    line.recovers_through("s", 0, &pid, &offset);
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)], "the same");
    assert_eq!(line.events(bob), Vec::<String>::new(), "nobody is told that it was gone");
    line.store_is_down = false;
    let again = returns(&mut line, 0, &pid, &offset);
    let heard = line.events(again);
    assert!(
        heard.contains(&r#"42["offer",1]"#.to_owned()) && heard.last().unwrap().contains(&pid),
        "{heard:?}"
    );
}

#[test]
fn who_comes_back_late_meanwhile_reconnects_and_is_joined_when_the_store_is_back() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    line.heard.clear();
    let late = asks_to_return(&mut line, 0, &pid, &offset);
    // The token is confirmed, and then the store fails.
    line.answers_one();
    line.store_is_down = true;
    line.answer_all();
    assert_eq!(
        (line.heard(late), line.closed.clone()),
        (vec![], vec![(late, None)]),
        "it was never connected"
    );
    line.store_is_down = false;
    let again = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, again, &pid, &others);
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])]);
    assert_eq!((line.stored.len(), line.application().online().len()), (2, 2), "its old place is given up");
}

#[test]
fn who_rejoins_while_its_old_connection_counts_as_alive_is_in_the_room_once_when_the_store_is_back() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    // What it missed is unknown: the log began anew.
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.crashes();
    let bob = line.enters(1);
    let late = asks_to_return(&mut line, 0, &pid, &offset);
    line.answers_one();
    line.store_is_down = true;
    line.answer_all();
    assert_eq!(line.heard(late), Vec::<String>::new());
    line.store_is_down = false;
    let late = returns(&mut line, 0, &pid, &offset);
    let mut online = line.application().online();
    online.dedup();
    assert_eq!(online.len(), 2);
    line.heard.clear();
    line.says(bob, &format!(r#"42["offer","{}",2]"#, room_id()));
    assert_eq!(line.events(late), [r#"42["offer",2]"#]);
    line.lives(&[bob, late], 30_000);
    let of_ann = line.users[0].to_string();
    let left = line.stored.values().filter(|row| row.contains(&of_ann)).count();
    assert_eq!(left, 1, "nothing is left of its old place");
}

#[test]
fn who_comes_back_in_time_is_held_until_the_store_has_confirmed_the_token() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 9_000);
    line.heard.clear();
    let again = asks_to_return(&mut line, 0, &pid, &offset);
    line.lives(&[bob], 5_000);
    line.answer_all();
    let heard = line.events(again);
    assert!(heard.last().unwrap().contains(&pid), "recovered: {heard:?} {:?}", line.events(bob));
    assert_eq!(line.events(bob), Vec::<String>::new(), "nobody is told that it was gone");
    // A client that gives up meanwhile is held no longer.
    line.closes(again, None);
    line.lives(&[bob], 9_000);
    let given_up = asks_to_return(&mut line, 0, &pid, &offset);
    line.lives(&[bob], 5_000);
    line.closes(given_up, None);
    line.lives(&[bob], 1_000);
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
}

#[test]
fn of_two_that_bring_one_pid_the_newest_has_it_whenever_the_store_answers() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    let older = asks_to_return(&mut line, 0, &pid, &offset);
    let newer = asks_to_return(&mut line, 0, &pid, &offset);
    // It answers the newest query first.
    line.answer_all();
    assert_eq!(line.closed, [(ann, None), (older, None)]);
    assert!(line.events(newer).last().unwrap().contains(&pid));

    // The same for those who come too late to be recovered.
    line.closes(newer, None);
    line.lives(&[bob], 11_000);
    let older = asks_to_return(&mut line, 0, &pid, &offset);
    line.answers_one();
    let newer = asks_to_return(&mut line, 0, &pid, &offset);
    line.answers_one();
    line.closed.clear();
    line.heard.clear();
    line.answer_all();
    assert_eq!((line.heard(older), line.closed.clone()), (vec![], vec![(older, None)]));
    let others = [line.users[1]];
    rejoined(&mut line, newer, &pid, &others);
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])], "once");
}

#[test]
fn a_report_whose_answer_is_lost_is_repeated_and_the_call_is_recorded_once() {
    let mut line = Line::new(SocketAuth::Required);
    line.database_loses_answers = true;
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.lives(&[ann, bob], 60_000);
    for link in [ann, bob] {
        line.closes(link, Some(1001));
        line.attached.remove(&link);
    }
    let end = line.now - NOW;
    assert_eq!((line.calls.len(), line.recorded.len()), (1, 1), "it is kept until its answer has come");
    line.crashes();
    line.waits(600_000);
    line.database_loses_answers = false;
    line.waits(3_600_000);
    let [log] = &line.recorded.values().collect::<Vec<_>>()[..] else { panic!("{:?}", line.recorded) };
    let since = |at: Timestamp| at.millis() - NOW;
    assert_eq!((since(log.start), log.end().map(since)), (0, Some(end)));
    assert!(line.calls.is_empty() && line.alarm.is_none(), "then everything is deleted");
}
