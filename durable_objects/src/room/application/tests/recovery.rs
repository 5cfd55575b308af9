//! Who comes back within the hold gets what it missed.

use super::*;

#[test]
fn who_comes_back_gets_what_it_missed_and_then_the_reply() {
    for crash in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, mut bob, pid, offset) = couple(&mut line);
        let of_bob = couple_offset(&mut line, bob);
        line.closes(ann, None);
        line.attached.remove(&ann);
        line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
        if crash {
            line.waits(5_000);
            line.crashes();
            bob = returns(&mut line, 1, &of_bob.0, &of_bob.1);
        }
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.events(again);
        assert!(heard.contains(&r#"42["offer",1]"#.to_owned()), "{heard:?}");
        assert!(heard.last().unwrap().contains(&pid), "the reply comes last: {heard:?}");
        line.heard.clear();
        line.lives(&[bob, again], 60_000);
        assert_eq!(line.events(bob), Vec::<String>::new(), "nobody was told");
    }
}

#[test]
fn the_newest_holds_a_pid() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    let newer = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed, [(ann, None)]);
    let newest = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed, [(ann, None), (newer, None)]);
    line.heard.clear();
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert_eq!(line.events(newest), [r#"42["offer",1]"#]);
}

#[test]
fn a_pid_without_its_users_token_or_with_another_rooms_offset_is_a_new_client() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, _, pid, offset) = couple(&mut line);
    let elsewhere = format!("{}.x.1", RoomId::from_random([2; 16]).compact());
    for (user, pid, offset) in
        [(2, pid.as_str(), offset.as_str()), (0, "id-0", &offset), (0, &pid, &elsewhere), (0, &pid, "x")]
    {
        let link = returns(&mut line, user, pid, offset);
        let heard = line.heard(link);
        assert!(heard.len() == 1 && heard[0].starts_with("40{"), "{heard:?}");
        assert!(!heard[0].contains(&format!("\"{pid}\"")), "{heard:?}");
    }
    assert_eq!(line.closed, [], "none of it harmed its holder");
}

#[test]
fn what_has_arrived_is_not_kept() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.joins_from("s", 2);
    line.says(bob, &format!(r#"42["chat-message","{}","secret"]"#, room_id()));
    line.lives(&[ann, bob], 6_000);
    let stored = |line: &Line| line.log.values().any(|part| part.contains("secret"));
    assert!(stored(&line), "while nobody is known to have it");
    line.lives(&[ann, bob], 20_000);
    assert!(stored(&line), "the Session has not told what has arrived there");
    let mark = line.delivered().into_iter().rev().find_map(|(_, delivery)| match delivery {
        Delivery::Frame { mark, .. } => Some(mark),
        _ => None,
    });
    line.tells("s", FromSession::Arrived(mark.unwrap()));
    assert!(!stored(&line) && line.log.len() == 1);
    line.closes(ann, None);
    let again = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1], line.users[2]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn a_new_log_goes_on_above_the_old_one() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    line.joins_from("s", 1);
    let before = line.application().log.mark();
    line.waits(1_000);
    line.crashes();
    assert!(line.application().log.mark() > before, "marks are compared by those who outlive it");
}

#[test]
fn the_log_that_replaces_one_nobody_needs_goes_on_above_it_wherever_the_clock_is() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    let before = line.application().log.mark();
    line.now -= 7_200_000;
    line.says(ann, &format!(r#"42["leave-room","{}"]"#, room_id()));
    assert!(line.stored.is_empty() && line.log.is_empty(), "all is deleted");
    assert!(line.application().log.mark() >= before);
}

#[test]
fn a_deleted_user_does_not_come_back() {
    let mut line = Line::new(SocketAuth::Optional);
    let (pid, offset) = tokenless_and_lost(&mut line);
    let user = line.users[0];
    line.act(|room| room.revoke(&Revocation { user, honoured: None }, NOW));
    let again = line.opens(None);
    line.says(again, &format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#));
    line.answer_all();
    assert_eq!(line.heard(again).len(), 1, "a new client");
    assert!(line.stored.is_empty());
}
