//! How many may be connected without having joined.

use super::*;

#[test]
fn who_joins_nothing_is_few() {
    let few = GuestLimits { per_address: 3, per_user: 2, total: 5 };
    let mut line = Line::set_up(Setup { guests: few, ..Setup::default() });
    let silent: Vec<_> = (0..3).map(|_| line.opens_from("a", None).unwrap()).collect();
    assert_eq!(line.opens_from("a", None), None, "three of one address");
    let token = line.token(0);
    let connect = format!(r#"40{{"token":"{token}"}}"#);
    line.says(silent[0], &connect);
    assert_eq!(line.opens_from("a", None), None, "the store was not asked yet");
    line.answer_all();
    let second = line.opens_from("a", None).unwrap();
    line.says(second, &connect);
    line.answer_all();
    assert!(line.heard(second)[0].starts_with("40{"));
    let other = line.opens_from("b", None).unwrap();
    line.closes(silent[2], None);
    let fifth = line.opens_from("b", None).unwrap();
    assert_eq!(line.opens_from("b", None), None, "five altogether");
    line.closes(other, None);
    line.closes(fifth, None);
    let third = line.opens_from("c", None).unwrap();
    line.says(third, &connect);
    line.answer_all();
    assert!(line.heard(third)[0].contains("Too many connections"), "two of one user");
    line.says(second, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    line.says(third, &connect);
    line.answer_all();
    assert!(line.heard(third)[0].starts_with("40{"), "who has joined is no guest");
}

#[test]
fn whoever_has_taken_all_places_gives_them_to_those_who_come_from_elsewhere() {
    let few = GuestLimits { per_address: 10, per_user: 10, total: 6 };
    let mut line = Line::set_up(Setup { guests: few, ..Setup::default() });
    let member = line.opens_from("2001:db8:a:1::1", None).unwrap();
    line.says(member, &format!(r#"40{{"token":"{}"}}"#, line.token(1)));
    line.answer_all();
    line.says(member, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.answer_all();
    // Of one site, which has many /64: half of them connected, half of them silent.
    let many: Vec<_> =
        (0..6).map(|n| line.opens_from(&format!("2001:db8:a:{n}::1"), None).unwrap()).collect();
    for link in &many[..3] {
        line.says(*link, &format!(r#"40{{"token":"{}"}}"#, line.token(0)));
    }
    line.answer_all();
    line.closed.clear();
    assert_eq!(line.opens_from("2001:db8:a:9::1", None), None, "of those who have them nobody gets another");
    for (n, gives_way) in many[..3].iter().enumerate() {
        let guest = line.opens_from(&format!("192.0.2.{n}"), None);
        assert!(guest.is_some(), "somebody else does");
        assert_eq!(line.closed.last(), Some(&(*gives_way, None)), "the oldest gives way");
    }
    line.opens_from("192.0.2.0", None).unwrap();
    assert_eq!(line.closed.last(), Some(&(many[3], None)), "two of one are fewer than three");
    assert_eq!(line.opens_from("192.0.2.0", None), None, "whoever has the most is refused");
    assert_eq!(
        line.opens_from("192.0.2.1", None),
        None,
        "nobody gives way to one with as many as they would be left with"
    );
    line.opens_from("192.0.2.9", None).unwrap();
    assert_eq!(line.closed.len(), 5);
    assert!(line.closed.iter().all(|(link, _)| *link != member), "whoever has joined is no guest");
}

#[test]
fn who_is_joined_again_is_not_counted_among_those_who_join_nothing_unless_the_store_refuses_it() {
    for is_refused in [false, true] {
        joins_again_beside_two_guests(is_refused);
    }
}

fn joins_again_beside_two_guests(is_refused: bool) {
    let few = GuestLimits { per_address: 10, per_user: 2, total: 10 };
    let mut line = Line::set_up(Setup { guests: few, ..Setup::default() });
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 10_000);
    let (token, connect) = (line.token(0), |token| format!(r#"40{{"token":"{token}"}}"#));
    for _ in 0..2 {
        let guest = line.opens(None);
        line.says(guest, &connect(&token));
    }
    line.answer_all();
    if is_refused {
        line.strangers.push(line.users[0]);
    }
    let again = returns(&mut line, 0, &pid, &offset);
    if is_refused {
        let heard = line.heard(again);
        assert!(heard[0].contains("Too many connections"), "{heard:?}");
        assert!(!heard.iter().any(|frame| frame.starts_with("40")), "it is not let in: {heard:?}");
        return;
    }
    let others = [line.users[1]];
    rejoined(&mut line, again, &pid, &others);
}

#[test]
fn of_a_client_in_no_room_that_returns_the_earlier_connection_is_ended() {
    let mut line = Line::new(SocketAuth::Required);
    let (mut link, _, mut pid, offset) = couple(&mut line);
    line.says(link, &format!(r#"42["leave-room","{}"]"#, room_id()));
    for _ in 0..6 {
        let again = returns(&mut line, 0, &pid, &offset);
        let heard = line.heard(again);
        assert!(heard[0].starts_with("40{"), "{heard:?}");
        assert_eq!(line.closed.last(), Some(&(link, None)), "there is one for a pid");
        (link, pid) = (again, self::pid(&heard[0]).to_owned());
    }
}
