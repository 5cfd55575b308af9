//! Connecting, joining and talking, and what is refused.

use super::*;

#[test]
fn a_client_connects_and_joins() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    assert_eq!(line.heard(link), Vec::<String>::new(), "nothing before the store has answered");
    line.answer_all();
    let reply = line.heard(link).remove(0);
    assert!(reply.starts_with(r#"40{"sid":"id-"#) && !pid(&reply).is_empty(), "{reply}");
    line.says(link, &format!(r#"427["join-room","{}"]"#, room_id()));
    line.answer_all();
    assert_eq!(line.events(link), [r#"42["existing-users",[]]"#, r#"437[{"ok":true,"users":[]}]"#]);
}

#[test]
fn what_is_said_while_the_store_is_asked_is_kept_in_order() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let link = line.opens(None);
    let token = line.token(1);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.says(link, &format!(r#"42["join-room","{}"]"#, room_id()));
    line.says(link, &format!(r#"42["offer","{}",1]"#, room_id()));
    line.says(link, &format!(r#"42["offer","{}",2]"#, room_id()));
    line.answer_all();
    let connected = format!(r#"42["user-connected","{}"]"#, line.users[1]);
    assert_eq!(line.events(first), [connected.as_str(), r#"42["offer",1]"#, r#"42["offer",2]"#]);
}

#[test]
fn what_waits_for_the_store_is_bounded() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(1);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    (0..256).for_each(|_| line.says(link, "42[\"x\"]"));
    assert_eq!(line.closed, []);
    line.says(link, "42[\"x\"]");
    assert_eq!(line.closed, [(link, None)]);
}

#[test]
fn refused_credentials_are_told_apart() {
    let mut line = Line::new(SocketAuth::Required);
    let old = Timestamp::from_millis(NOW - 8 * 86_400_000);
    let expired = key().issue(line.users[0], "ann", 0, [0; 9], old);
    for (frame, message, code) in [
        ("40".to_owned(), "Authentication required", "auth_required"),
        ("40{}".to_owned(), "Authentication required", "auth_required"),
        (r#"40{"token":"x"}"#.to_owned(), "Invalid authentication token", "token_invalid"),
        (r#"40{"token":7}"#.to_owned(), "Invalid authentication token", "token_invalid"),
        (format!(r#"40{{"token":"{expired}"}}"#), "Token has expired", "token_expired"),
    ] {
        let link = line.opens(None);
        line.says(link, &frame);
        let expected = format!(r#"44{{"message":"{message}","data":{{"code":"{code}"}}}}"#);
        assert_eq!(line.heard(link), [expected], "{frame}");
    }
    let link = line.opens(None);
    line.deleted.push(line.users[2]);
    let token = line.token(2);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    line.answer_all();
    assert!(line.heard(link)[0].contains("token_invalid"), "a deleted user's token");
}

#[test]
fn a_bearer_header_serves_as_well() {
    let mut line = Line::new(SocketAuth::Required);
    let token = line.token(0);
    let link = line.opens(Some(&token));
    line.says(link, "40");
    line.answer_all();
    assert!(line.heard(link)[0].starts_with("40{"));
    let link = line.opens(Some("nonsense"));
    line.says(link, "40");
    assert!(line.heard(link)[0].contains("token_invalid"));
}

#[test]
fn tokenless_clients_are_admitted_where_that_is_allowed() {
    let mut line = Line::new(SocketAuth::Optional);
    let link = line.opens(None);
    line.says(link, "40");
    assert!(line.heard(link)[0].starts_with("40{"));
    let bad = line.opens(None);
    line.says(bad, r#"40{"token":"x"}"#);
    assert!(line.heard(bad)[0].contains("token_invalid"), "a bad token is still refused");
}

#[test]
fn other_namespaces_are_invalid_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.enters(0);
    line.says(link, "40/admin,");
    assert_eq!(line.heard(link), [r#"44/admin,{"message":"Invalid namespace"}"#]);
    assert_eq!(line.closed, []);
}

#[test]
fn an_offer_is_relayed_as_a_slice_of_the_frame_and_saved_before_it_is_sent() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.waits(6_000);
    let frame = format!(r#"42["offer","{}",{{"sdp" : "v=0","a":1.0}}]"#, room_id());
    let actions = line.server.receive_text(first, &frame, line.now);
    let [Action::Command(RoomCommand::Save(_)), Action::Send { to, message: Message::Text(sent) }] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(to, &[second]);
    assert_eq!(sent.relayed, r#"{"sdp" : "v=0","a":1.0}"#);
    assert!(frame.as_bytes().as_ptr_range().contains(&sent.relayed.as_ptr()), "nothing was copied");
    assert_eq!(sent.head, r#"42["offer","#);
}

#[test]
fn what_a_burst_leaves_is_saved_when_it_is_over() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    line.enters(1);
    line.waits(6_000);
    for number in 0..5 {
        line.says(first, &format!(r#"42["offer","{}",{number}]"#, room_id()));
    }
    let saved = |line: &Line| line.log.values().cloned().collect::<String>();
    assert!(!saved(&line).contains("offer"), "the store only knows of a burst");
    line.waits(5_000);
    assert!(saved(&line).contains("[\"offer\",4"), "{}", saved(&line));
}

#[test]
fn binary_events_are_refused_and_the_link_stays() {
    let mut line = Line::new(SocketAuth::Required);
    let first = line.enters(0);
    let second = line.enters(1);
    line.says(first, &format!(r#"451-3["offer","{}",{{"_placeholder":true,"num":0}}]"#, room_id()));
    let actions = line.server.receive_binary(first, vec![1, 2], NOW);
    line.perform(actions);
    assert!(line.heard(first)[0].starts_with(r#"433[{"ok":false"#));
    assert_eq!((line.heard(second), line.closed), (Vec::new(), Vec::new()));
}

#[test]
fn a_broken_frame_closes_and_the_peer_is_gone_at_once() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.says(ann, "42{");
    assert_eq!(line.closed, [(ann, None)]);
    assert_eq!(line.events(bob), [format!(r#"42["user-disconnected","{}","lost"]"#, line.users[0])]);
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.heard(again).len(), 1, "it is not joined again");
}

#[test]
fn goodbyes_are_told_at_once() {
    let mut line = Line::new(SocketAuth::Required);
    let links: Vec<_> = (0..4).map(|user| line.enters(user)).collect();
    line.says(links[0], "41");
    line.closes(links[1], Some(1001));
    assert_eq!(line.heard(links[3]).len(), 2, "a disconnect packet and a closed tab");
    line.closes(links[2], Some(1006));
    assert_eq!(line.heard(links[3]), Vec::<String>::new());
}

#[test]
fn a_revoked_token_closes_even_before_it_is_verified() {
    let mut line = Line::new(SocketAuth::Required);
    let link = line.opens(None);
    let token = line.token(0);
    line.says(link, &format!(r#"40{{"token":"{token}"}}"#));
    let revocation = Revocation { user: line.users[0], honoured: None };
    line.act(|room| room.revoke(&revocation, NOW));
    assert_eq!(line.closed, [(link, None)]);
    line.answer_all();
    assert_eq!(line.heard(link), Vec::<String>::new());
}
