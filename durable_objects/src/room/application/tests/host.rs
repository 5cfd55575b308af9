//! A host's actions reach everybody, however they are connected, and those who might return.

use zetra_signalling::HostAction;

use super::*;

impl Line {
    fn host_removes(&mut self, user: usize) {
        let (user, by, now) = (self.users[user], self.users[0], self.now);
        self.act(|room| room.host_acts(HostAction::Remove { user, by }, now));
    }

    fn host_ends(&mut self) {
        let (by, now) = (self.users[0], self.now);
        self.act(|room| room.host_acts(HostAction::End { by }, now));
    }
}

/// `42["<event>",{…}]` for an action of the host.
fn told(line: &Line, event: &str, reason: &str) -> String {
    let by = line.users[0];
    format!(r#"42["{event}",{{"roomId":"{}","by":"{by}","reason":"{reason}"}}]"#, room_id())
}

#[test]
fn who_is_removed_is_told_and_nothing_of_it_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.heard.clear();
    line.host_removes(1);
    let frame = line.heard(bob).remove(0);
    let (event, offset) = split(&frame);
    assert_eq!(event, told(&line, "removed", "removed_by_host"));
    assert!(!offset.is_empty(), "the room said it");
    let gone = format!(r#"42["user-disconnected","{}","removed"]"#, line.users[1]);
    assert_eq!(line.events(ann), [gone]);
    let stored = |line: &Line| line.stored.keys().copied().collect::<Vec<_>>();
    assert_eq!(stored(&line), [PeerId(0), PeerId(1)], "until it is certain that it knows");
    line.lives(&[ann, bob], NOTICED_WITHIN_MS);
    assert_eq!(stored(&line), [PeerId(0)]);
    line.sleeps();
    line.says(bob, &format!(r#"42["offer","{}",1]"#, room_id()));
    assert!(line.events(bob)[0].contains("not_in_room"), "after a sleep too");
}

#[test]
fn who_is_removed_through_a_session_object_is_its_own_again() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.joins_from("s", 1);
    line.delivered();
    line.host_removes(1);
    let delivered = line.delivered();
    let [(first, Delivery::Frame { frame, .. }), (second, Delivery::Left)] = &delivered[..] else {
        panic!("told, then left: {delivered:?}")
    };
    assert_eq!((first.as_str(), second.as_str()), ("s", "s"));
    assert_eq!(split(frame).0, told(&line, "removed", "removed_by_host"));
    line.lives(&[ann], NOTICED_WITHIN_MS + REJOIN_MS);
    assert_eq!(line.stored.len(), 1);
}

#[test]
fn who_is_put_out_over_a_dead_connection_is_told_so_on_return() {
    for ends in [false, true] {
        for session in [false, true] {
            let mut line = Line::new(SocketAuth::Required);
            let (ann, bob, pid, offset) = couple(&mut line);
            if ends {
                line.host_ends();
            } else {
                line.host_removes(0);
            }
            let event = if ends { "room-ended" } else { "removed" };
            let expected = told(&line, event, if ends { "ended_by_host" } else { "removed_by_host" });
            line.lives(&[bob], 30_000);
            line.sleeps();
            if session {
                line.recovers_through("s", 0, &pid, &offset);
                let delivered = line.delivered();
                let [(_, Delivery::Stranger(Some(frame))), (_, Delivery::NotRecovered)] = &delivered[..]
                else {
                    panic!("{delivered:?}")
                };
                assert_eq!(split(frame).0, expected);
            } else {
                let again = returns(&mut line, 0, &pid, &offset);
                assert_eq!(line.events(again)[..1], [expected]);
            }
            assert_eq!(line.closed, [(ann, None)], "its old connection is ended");
            let of_ann = line.users[0].to_string();
            assert!(
                !line.stored.values().any(|row| row.contains(&format!(r#""u":"{of_ann}""#))),
                "told once"
            );
        }
    }
}

#[test]
fn who_is_put_out_through_a_dead_session_object_is_told_so_on_return_through_another() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(0);
    line.joins_from("s", 1);
    let delivered = line.delivered();
    let Some((_, Delivery::Joined { frames, .. })) = delivered.last() else { panic!("{delivered:?}") };
    let offset = split(&frames[0]).1;
    line.host_removes(1);
    line.lives(&[bob], NOTICED_WITHIN_MS - 1_000);
    line.delivered();
    line.recovers_through("t", 1, "s.pid", &offset);
    let delivered = line.delivered();
    let [(_, Delivery::Stranger(Some(frame))), (_, Delivery::NotRecovered)] = &delivered[..] else {
        panic!("{delivered:?}")
    };
    assert_eq!(split(frame).0, told(&line, "removed", "removed_by_host"));
}

#[test]
fn who_has_heard_why_it_was_put_out_does_not_hear_it_again() {
    for is_replaced in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, _, pid, _) = couple(&mut line);
        if is_replaced {
            line.enters_beside(0);
        } else {
            line.host_removes(0);
        }
        let farewell = line.heard(ann).remove(0);
        assert!(farewell.contains(if is_replaced { "replaced" } else { "removed" }), "{farewell}");
        let (_, offset) = split(&farewell);
        line.closes(ann, None);
        line.sleeps();
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.heard(again);
        assert!(heard[0].starts_with("40{"), "it knows: {heard:?}");
    }
}

#[test]
fn who_has_heard_it_through_a_session_object_does_not_hear_it_through_another() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    line.joins_from("s", 1);
    line.delivered();
    line.host_ends();
    let offset = line.offset_of("s");
    line.recovers_through("t", 1, "s.pid", &offset);
    assert_eq!(line.delivered(), [("t".to_owned(), Delivery::NotRecovered)]);
}

#[test]
fn who_says_goodbye_after_it_was_put_out_leaves_nothing_behind() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.host_ends();
    for link in [ann, bob] {
        line.says(link, "41");
    }
    assert!(line.stored.is_empty() && line.log.is_empty());
}

#[test]
fn who_is_removed_and_joins_again_over_the_same_connection_is_a_member_like_any_other() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.host_removes(1);
    line.says(bob, &format!(r#"421["join-room","{}"]"#, room_id()));
    line.answer_all();
    line.lives(&[ann, bob], 30_000);
    line.sleeps();
    assert_eq!(line.application().online(), [line.users[0], line.users[1]]);
    assert_eq!(line.stored.len(), 2);
}

#[test]
fn who_is_removed_and_joins_again_through_the_same_session_object_is_joined_again_after_a_loss() {
    let mut line = Line::new(SocketAuth::Required);
    let bob = line.enters(0);
    line.joins_from("s", 1);
    line.host_removes(1);
    line.joins_from("s", 1);
    let offset = line.offset_of("s");
    line.tells("s", FromSession::Gone(Departure::Lost));
    line.lives(&[bob], 10_000);
    line.recovers_through("t", 1, "s.pid", &offset);
    let delivered = line.delivered();
    let joined = matches!(delivered.last(), Some((to, Delivery::Joined { joined: true, .. })) if to == "t");
    assert!(joined, "no farewell of before: {delivered:?}");
    assert_eq!(line.application().online().len(), 2);
}

#[test]
fn of_one_users_devices_no_more_than_four_wait_to_be_told() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    for _ in 0..10 {
        let device = line.enters(1);
        line.enters(1);
        line.closes(device, None);
    }
    let of_user = format!(r#""u":"{}""#, line.users[1]);
    let waiting = line.stored.values().filter(|row| row.contains("replaced") && row.contains(&of_user));
    assert_eq!(waiting.count(), 4);
}

#[test]
fn whose_place_was_taken_meanwhile_is_told_so_on_return() {
    for (lost_for, session) in [(None, false), (Some(0), false), (Some(10_000), false), (Some(0), true)] {
        let mut line = Line::new(SocketAuth::Required);
        let (phone, bob, pid, offset) = couple(&mut line);
        if let Some(millis) = lost_for {
            line.closes(phone, None);
            line.lives(&[bob], millis);
        }
        let laptop = line.enters(0);
        line.sleeps();
        let error =
            r#"42["error",{"message":"You joined this room from another connection","code":"replaced"}]"#;
        if session {
            line.recovers_through("s", 0, &pid, &offset);
            let delivered = line.delivered();
            let [(_, Delivery::Stranger(Some(frame))), (_, Delivery::NotRecovered)] = &delivered[..] else {
                panic!("{delivered:?}")
            };
            assert_eq!(split(frame).0, error);
        } else {
            let again = returns(&mut line, 0, &pid, &offset);
            assert_eq!(line.events(again)[..1], [error], "{lost_for:?}");
        }
        assert_eq!(line.application().online().len(), 2);
        line.lives(&[bob, laptop], NOTICED_WITHIN_MS);
        assert_eq!(line.stored.len(), 2, "{lost_for:?}: once");
    }
}

#[test]
fn who_was_lost_and_is_removed_is_told_so_on_return_and_does_not_join_again_by_itself() {
    for hold_is_over in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, bob, pid, offset) = couple(&mut line);
        line.closes(ann, None);
        if hold_is_over {
            line.lives(&[bob], 10_000);
        }
        line.heard.clear();
        line.host_removes(0);
        let left = format!(r#"42["user-disconnected","{}","removed"]"#, line.users[0]);
        assert_eq!(line.events(bob), if hold_is_over { vec![] } else { vec![left] });
        line.sleeps();
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.events(again);
        assert_eq!(heard[..1], [told(&line, "removed", "removed_by_host")]);
        assert!(!heard[1].contains(&pid), "a new client: {heard:?}");
        assert_eq!(line.application().online(), [line.users[1]]);
        assert_eq!(line.stored.len(), 1, "once");
        let again = returns(&mut line, 0, &pid, &offset);
        assert_eq!(line.heard(again).len(), 1);
    }
}

#[test]
fn who_was_lost_when_the_room_ended_is_told_so_on_return_through_a_session_object_too() {
    for session in [false, true] {
        let mut line = Line::new(SocketAuth::Required);
        let (ann, bob, pid, offset) = couple(&mut line);
        line.closes(ann, None);
        line.host_ends();
        line.closes(bob, Some(1001));
        line.attached.clear();
        line.sleeps();
        let ended = told(&line, "room-ended", "ended_by_host");
        if session {
            line.recovers_through("s", 0, &pid, &offset);
            let delivered = line.delivered();
            let [(_, Delivery::Stranger(Some(frame))), (_, Delivery::NotRecovered)] = &delivered[..] else {
                panic!("{delivered:?}")
            };
            assert_eq!(split(frame).0, ended);
        } else {
            let again = returns(&mut line, 0, &pid, &offset);
            assert_eq!(line.events(again)[..1], [ended]);
        }
        assert!(line.stored.is_empty() && line.log.is_empty(), "and then everything is deleted");
    }
}

#[test]
fn an_ended_room_leaves_nothing_behind_once_nobody_can_return() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.joins_from("s", 2);
    let lost = line.enters(3);
    line.closes(lost, None);
    line.says(ann, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.heard.clear();
    line.delivered();
    line.host_ends();
    let ended = told(&line, "room-ended", "ended_by_host");
    for link in [ann, bob] {
        assert_eq!(line.events(link)[0], ended);
    }
    let delivered = line.delivered();
    let Some((_, Delivery::Frame { frame, .. })) = delivered.first() else { panic!("{delivered:?}") };
    assert_eq!(split(frame).0, ended);
    assert!(matches!(delivered.last(), Some((_, Delivery::Left))));
    assert_eq!(line.stored.len(), 4, "until it is certain that they know");
    assert_eq!(line.closed, [], "the connections go on");
    line.heard.clear();
    line.host_ends();
    assert_eq!((line.heard(ann), line.delivered()), (vec![], vec![]), "twice is once");
    line.lives(&[ann, bob], NOTICED_WITHIN_MS);
    assert_eq!(
        line.stored.len(),
        2,
        "who was lost will be told, and who may have been, if they return in time"
    );
    line.lives(&[ann, bob], REJOIN_MS);
    assert!(line.stored.is_empty() && line.log.is_empty(), "everything is deleted");
}

#[test]
fn an_answer_of_the_store_that_is_older_than_the_removal_does_not_count() {
    let mut line = Line::new(SocketAuth::Required);
    line.enters(0);
    let bob = line.opens(None);
    let token = line.token(1);
    line.says(bob, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    line.heard.clear();
    line.says(bob, &format!(r#"420["join-room","{}"]"#, room_id()));
    line.host_removes(1);
    // The store read its row before the host changed it.
    line.answer_all();
    let heard = line.heard(bob);
    assert!(heard[0].starts_with("430[{\"ok\":false") && heard[0].contains("\"removed\""), "{heard:?}");
    line.says(bob, &format!(r#"421["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert!(
        line.heard(bob).iter().any(|frame| frame.starts_with("431[{\"ok\":true")),
        "readmitted meanwhile"
    );
}
