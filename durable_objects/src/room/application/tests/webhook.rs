//! The messages for the operator's webhook, and the rows they cost.

use zetra_signalling::HostAction;

use super::*;

/// A room whose operator has a webhook.
fn line() -> Line {
    Line::set_up(Setup { has_webhook: true, ..Setup::default() })
}

impl Line {
    /// The types of what was posted since the last time, with the reason where there is one.
    fn told(&mut self) -> Vec<String> {
        let bodies = std::mem::take(&mut self.posted);
        let told = |body: &String| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["data"]["roomId"], room_id().to_string());
            let kind = body["type"].as_str().unwrap();
            match body["data"]["reason"].as_str() {
                Some(reason) => format!("{kind} {reason}"),
                None => kind.to_owned(),
            }
        };
        bodies.iter().map(told).collect()
    }
}

#[test]
fn a_call_is_told_from_its_beginning_to_a_minute_after_its_end() {
    let mut line = line();
    let (ann, bob) = (line.enters(0), line.enters(1));
    assert_eq!(line.told(), ["room.started", "participant.joined", "participant.joined"]);
    line.lives(&[ann, bob], 10_000);
    line.closes(bob, Some(1001));
    line.lives(&[ann], 59_000);
    assert_eq!(line.told(), ["participant.left left"]);
    line.lives(&[ann], 2_000);
    let posted = line.posted.clone();
    assert_eq!(line.told(), ["call.ended"]);
    let body: serde_json::Value = serde_json::from_str(&posted[0]).unwrap();
    let log = &body["data"]["callLog"];
    assert_eq!((&log["duration"], &log["roomId"]), (&10.into(), &room_id().to_string().into()));
    line.closes(ann, Some(1001));
    assert_eq!(line.told(), ["participant.left left"]);
    assert!(line.messages.is_empty() && line.ended_calls.is_empty() && line.alarm.is_none());
}

#[test]
fn a_call_of_which_everybody_has_gone_is_announced_all_the_same() {
    let mut line = line();
    for link in [line.enters(0), line.enters(1)] {
        line.closes(link, Some(1001));
    }
    line.told();
    line.waits(61_000);
    assert_eq!(line.told(), ["call.ended"]);
    line.waits(61_000);
    assert_eq!(line.told(), Vec::<String>::new(), "once");
    assert!(line.stored.is_empty() && line.ended_calls.is_empty() && line.alarm.is_none(), "nothing is left");
}

#[test]
fn a_redial_is_announced_once_with_its_own_end() {
    let mut line = line();
    let ann = line.enters(0);
    let bob = line.enters(1);
    line.closes(bob, Some(1001));
    let first = line.recorded.values().next().unwrap().clone();
    line.lives(&[ann], 30_000);
    // The database treats the second as the same call: its log is the first's.
    line.database_is_up = false;
    let bob = line.enters(1);
    let report = line.reports.pop().unwrap();
    let (now, open) = (line.now, zetra_domain::CallLog { state: report.log.state, ..first.clone() });
    line.act(|room| room.call_reported(&report, Ok(Some(RoomCall { log: open, joined: vec![] })), now));
    line.lives(&[ann, bob], 60_000);
    assert!(line.told().iter().all(|told| told != "call.ended"), "it goes on");
    line.closes(bob, Some(1001));
    let report = line.reports.pop().unwrap();
    let (now, over) = (line.now, zetra_domain::CallLog { state: report.log.state, ..first });
    line.act(|room| room.call_reported(&report, Ok(Some(RoomCall { log: over, joined: vec![] })), now));
    line.lives(&[ann], 62_000);
    let ended = line.told().into_iter().filter(|told| told == "call.ended").count();
    assert_eq!(ended, 1);
}

#[test]
fn what_nobody_takes_is_kept_over_a_crash_and_comes_in_order() {
    let mut line = line();
    line.webhook_is_up = false;
    let link = line.enters(0);
    line.closes(link, Some(1001));
    line.attached.remove(&link);
    assert_eq!((line.messages.len(), line.stored.len()), (3, 0));
    line.crashes();
    line.waits(60_000);
    line.webhook_is_up = true;
    line.waits(3_600_000);
    assert_eq!(line.told(), ["room.started", "participant.joined", "participant.left left"]);
    assert!(line.messages.is_empty() && line.alarm.is_none());
}

#[test]
fn a_message_costs_two_rows_and_where_there_is_no_webhook_nothing() {
    let rows = |mut line: Line| {
        let links = [line.enters(0), line.enters(1)];
        links.into_iter().for_each(|link| line.closes(link, Some(1001)));
        line.waits(61_000);
        (line.webhook_rows, line.posted.len())
    };
    let with = rows(line());
    let without = rows(Line::new(SocketAuth::Required));
    assert_eq!(without, (0, 0));
    // Started, joined and left twice, ended: six messages; the ended call waits in a row of its own.
    // The last row goes with everything else.
    assert_eq!(with, (6 * 2 + 2 - 1, 6));
}

#[test]
fn the_end_of_a_room_is_told_with_who_ended_it() {
    let mut line = line();
    line.enters(0);
    line.told();
    let (by, now) = (line.users[0], line.now);
    line.act(|room| room.host_acts(HostAction::End { by }, now));
    assert_eq!(line.told(), ["participant.left room_ended", "room.ended ended_by_host"]);
    line.webhook_is_up = false;
    let ids = [(); 2].map(|()| {
        line.act(|room| room.host_acts(HostAction::End { by }, now));
        let number = *line.messages.keys().last().unwrap();
        line.application().message(number).unwrap().id.clone()
    });
    assert_eq!(ids[0], ids[1], "who asks again says the same again");
}

#[test]
fn a_room_does_not_start_anew_when_its_only_member_changes_its_connection() {
    let mut line = line();
    let first = line.enters(0);
    assert_eq!(line.told()[0], "room.started");
    line.enters(0);
    assert_eq!(line.told(), ["participant.left replaced", "participant.joined"]);
    line.closes(first, None);
}
