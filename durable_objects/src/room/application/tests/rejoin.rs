//! Who comes back too late for that is joined again.

use super::*;

#[test]
fn who_comes_back_after_the_hold_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    let gone = format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0]);
    assert_eq!(line.events(bob).last(), Some(&gone));
    line.lives(&[bob], REJOIN_MS - 1_000);
    line.sleeps();
    let late = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, late, &pid, &others);
    assert_eq!(line.events(bob), [format!(r#"42["user-connected","{}"]"#, line.users[0])]);
    line.says(late, &format!(r#"421["join-room","{}"]"#, room_id()));
    assert!(line.heard(late)[0].starts_with(r#"431[{"ok":true"#), "who does say it gets the ack");
}

/// A crash in between would leave it with a secret that nobody knows.
#[test]
fn its_place_is_stored_before_it_hears_of_it() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    asks_to_return(&mut line, 0, &pid, &offset);
    // The token is good; whether it is admitted is still open.
    line.answers_one();
    let Some(RoomCommand::Lookup { peer, user, ack }) = line.open.pop() else { panic!("{:?}", line.open) };
    let admission = Admission { membership: Membership::Participant, tokens: Some(line.tokens.clone()) };
    let (now, mut order) = (line.now, Vec::new());
    line.act(|room| {
        let out = room.admitted(peer, user, ack, Some(admission), now);
        order.extend(out.iter().filter_map(|effect| match effect {
            Effect::Command(RoomCommand::Store(_) | RoomCommand::Save(_)) => Some("store"),
            Effect::Accept { .. } | Effect::Emit { .. } => Some("tell"),
            _ => None,
        }));
        out
    });
    assert!(order.contains(&"store") && order.contains(&"tell"), "{order:?}");
    assert!(order.is_sorted(), "{order:?}");
}

/// The connection, or the object, was lost on the way: the client still has the pid of before.
#[test]
fn who_did_not_hear_that_it_was_joined_again_is_joined_again_once_more() {
    for lost in ["", "the connection", "the connection, and its hold is over", "the object"] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, bob, pid, offset) = couple(&mut line);
        let of_bob = couple_offset(&mut line, bob);
        line.closes(ann, None);
        line.lives(&[bob], 11_000);
        let again = returns(&mut line, 0, &pid, &offset);
        let others = [line.users[1]];
        match lost {
            "the connection" => line.closes(again, None),
            "the connection, and its hold is over" => {
                line.closes(again, None);
                line.lives(&[bob], 11_000);
            }
            "the object" => line.crashes(),
            _ => {}
        }
        line.heard.clear();
        let once_more = returns(&mut line, 0, &pid, &offset);
        rejoined(&mut line, once_more, &pid, &others);
        if lost.is_empty() {
            assert_eq!(line.closed.last(), Some(&(again, None)), "one has the pid");
        }
        if lost == "the object" {
            returns(&mut line, 1, &of_bob.0, &of_bob.1);
        }
        let mut online = line.application().online();
        online.sort();
        assert_eq!(online, line.users[..2], "{lost}");
    }
}

#[test]
fn who_was_joined_again_returns_with_what_it_was_told_even_after_somebody_presented_the_former_pid() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    let again = returns(&mut line, 0, &pid, &offset);
    let (newer, offset_of_newer) = couple_offset(&mut line, again);
    line.closes(again, None);
    let recovered = returns(&mut line, 0, &newer, &offset_of_newer);
    assert!(line.heard(recovered).last().unwrap().contains(&newer), "recovered as any other");
    // An earlier attempt to return arrives late.
    returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.closed.last(), Some(&(recovered, None)));
    let once_more = returns(&mut line, 0, &newer, &offset_of_newer);
    let others = [line.users[1]];
    rejoined(&mut line, once_more, &newer, &others);
}

#[test]
fn a_former_pid_does_not_lead_back_to_a_room_that_its_client_has_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 11_000);
    let again = returns(&mut line, 0, &pid, &offset);
    line.says(again, &format!(r#"42["leave-room","{}"]"#, room_id()));
    let late = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(late).len(), 1, "a new client");
    assert_eq!(line.application().online(), [line.users[1]]);
    assert_eq!(line.closed, [], "and the connection that has left is as it was");
}

#[test]
fn who_comes_back_even_later_is_a_new_client_and_nothing_is_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.closes(bob, Some(1001));
    line.waits(10_000 + REJOIN_MS);
    assert!(line.stored.is_empty() && line.log.is_empty() && line.alarm.is_none());
    let late = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(late).len(), 1);
}

#[test]
fn after_a_burst_that_was_lost_with_its_object_everybody_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    let of_bob = couple_offset(&mut line, bob);
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.waits(1_000);
    line.crashes();
    let ann = returns(&mut line, 0, &pid, &offset);
    let [user_0, user_1] = [line.users[0], line.users[1]];
    rejoined(&mut line, ann, &pid, &[user_1]);
    let bob = returns(&mut line, 1, &of_bob.0, &of_bob.1);
    rejoined(&mut line, bob, &of_bob.0, &[user_0]);
    assert_eq!(
        line.events(ann),
        [
            format!(r#"42["user-disconnected","{user_1}","lost"]"#),
            format!(r#"42["user-connected","{user_1}"]"#)
        ],
        "in order"
    );
}

#[test]
fn who_missed_more_than_the_log_keeps_is_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    for number in 0..=LOG.max_events {
        line.says(bob, &format!(r#"42["offer","{}",{number}]"#, room_id()));
    }
    line.heard.clear();
    let late = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, late, &pid, &others);
    assert_eq!(line.events(bob).len(), 2, "gone, and come");
}

#[test]
fn who_is_admitted_no_more_is_not_joined_again_and_told_so() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    line.strangers.push(line.users[0]);
    let late = returns(&mut line, 0, &pid, &offset);
    let heard = line.heard(late);
    assert!(heard.len() == 2 && heard[1].contains("not_participant"), "{heard:?}");
    assert!(split(&heard[1]).1.is_empty(), "and it carries no offset");
}

#[test]
fn a_tokenless_client_is_joined_again_by_its_pid_alone() {
    let mut line = Line::new(SocketAuth::Optional);
    let (pid, offset) = tokenless_and_lost(&mut line);
    let again = line.opens(None);
    line.says(again, &format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#));
    line.answer_all();
    rejoined(&mut line, again, &pid, &[]);
    assert_eq!(line.application().online(), [line.users[0]]);
}

#[test]
fn who_may_have_missed_something_when_the_object_was_lost_in_a_burst_is_told_to_come_back_and_joined_again() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.joins_from("s", 1);
    let (before, seen) = (line.application().log.mark(), line.offset_of("s"));
    line.says(ann, &format!(r#"42["offer","{}",1]"#, room_id()));
    // It never leaves the object.
    line.delivered();
    line.now -= 7_200_000;
    line.crashes();
    let bob = line.enters(2);
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Abandon)]);
    line.says(bob, &format!(r#"42["offer","{}",2]"#, room_id()));
    line.tells("s", FromSession::Arrived(before));
    assert_eq!(line.delivered(), [("s".to_owned(), Delivery::Stranger(None))]);
    line.recovers_through("t", 1, "s.pid", &seen);
    line.answer_all();
    let told = line.delivered();
    assert!(matches!(&told[..], [(to, Delivery::Joined { joined: true, .. })] if to == "t"), "{told:?}");
}

#[test]
fn who_was_ended_for_what_was_held_is_gone_at_once_and_may_come_back() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(1);
    line.joins_from("s", 0);
    let offset = line.offset_of("s");
    line.heard.clear();
    line.tells("s", FromSession::Gone(Departure::Overloaded));
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    line.recovers_through("t", 0, "s.pid", &offset);
    let told = line.delivered();
    assert!(matches!(&told[..], [(_, Delivery::Joined { joined: true, .. })]), "{told:?}");
}

#[test]
fn a_member_that_could_not_be_stored_is_gone_and_may_come_back() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.heard.clear();
    line.act(|room| room.not_stored(PeerId(0), NOW));
    assert_eq!(line.closed, [(ann, None)]);
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    let again = returns(&mut line, 0, &pid, &offset);
    let others = [line.users[1]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn of_a_member_whose_place_to_come_back_to_could_not_be_stored_either_nothing_is_left() {
    let mut line = Line::new(SocketAuth::Required);
    let (_, bob, pid, offset) = couple(&mut line);
    for _ in 0..2 {
        line.act(|room| room.not_stored(PeerId(0), NOW));
    }
    assert_eq!(line.stored.keys().copied().collect::<Vec<_>>(), [PeerId(1)]);
    line.sleeps();
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(again).len(), 1, "a new client");
    line.heard.clear();
    line.lives(&[bob, again], 30_000);
    assert_eq!(line.events(bob), Vec::<String>::new());
}
