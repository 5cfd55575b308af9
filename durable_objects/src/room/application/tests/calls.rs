//! Calls that the room keeps, through everything that can happen to its object.

use zetra_signalling::HostAction;

use super::*;

impl Line {
    /// The database's logs: start, end and number of people, with times in milliseconds after [`NOW`].
    fn logs(&self) -> Vec<(i64, Option<i64>, usize)> {
        let since = |at: Timestamp| at.millis() - NOW;
        let logs = self.recorded.values();
        logs.map(|log| (since(log.start), log.end().map(since), log.participants.len())).collect()
    }
}

#[test]
fn a_call_is_recorded_when_it_begins_and_when_it_ends() {
    let mut line = Line::new(SocketAuth::Required);
    let ann = line.enters(0);
    line.waits(3_000);
    let bob = line.enters(1);
    assert_eq!(line.logs(), [(3_000, None, 2)]);
    line.waits(2_000);
    line.joins_from("s", 2);
    assert_eq!(line.logs(), [(3_000, None, 3)], "through a Session object too");
    line.closes(ann, Some(1001));
    line.closes(bob, Some(1001));
    assert_eq!(line.logs(), [(3_000, Some(5_000), 3)]);
    line.tells("s", FromSession::Gone(Departure::Left));
    assert!(line.calls.is_empty() && line.stored.is_empty() && line.alarm.is_none(), "nothing is left");
}

#[test]
fn a_call_costs_four_rows() {
    let mut line = Line::new(SocketAuth::Required);
    let links = [line.enters(0), line.enters(1), line.enters(2)];
    assert_eq!(line.call_rows, 4, "the second person and the third: owed, and taken");
    line.lives(&links, 60_000);
    assert_eq!(line.call_rows, 4, "nothing while it goes on");
    line.closes(links[2], Some(1001));
    line.closes(links[1], Some(1001));
    assert_eq!(line.call_rows, 6, "its end: owed, and deleted when it was taken");
    line.lives(&links[..1], 60_000);
    line.closes(links[0], Some(1001));
    assert_eq!(line.call_rows, 6);
}

#[test]
fn a_lost_call_is_over_at_its_loss_and_who_comes_back_in_time_is_in_the_same() {
    let mut line = Line::new(SocketAuth::Required);
    let (ann, bob, pid, offset) = couple(&mut line);
    line.closes(ann, None);
    line.lives(&[bob], 5_000);
    let again = returns(&mut line, 0, &pid, &offset);
    assert_eq!(line.logs(), [(0, None, 2)]);
    let lost = line.now - NOW;
    line.closes(again, None);
    line.lives(&[bob], 11_000);
    assert_eq!(line.logs(), [(0, Some(lost), 2)]);
}

#[test]
fn what_the_database_does_not_take_is_kept_when_everybody_is_gone() {
    let mut line = Line::new(SocketAuth::Required);
    line.database_is_up = false;
    let (ann, bob) = (line.enters(0), line.enters(1));
    line.records_calls();
    line.lives(&[ann, bob], 60_000);
    line.records_calls();
    for link in [ann, bob] {
        line.closes(link, Some(1001));
        line.attached.remove(&link);
    }
    let end = line.now - NOW;
    line.records_calls();
    assert_eq!((line.stored.len(), line.calls.len(), line.logs().len()), (0, 1, 0));
    line.crashes();
    line.waits(600_000);
    assert_eq!(line.calls.len(), 1);
    line.database_is_up = true;
    line.waits(3_600_000);
    assert_eq!(line.logs(), [(0, Some(end), 2)]);
    assert!(line.calls.is_empty() && line.alarm.is_none(), "then everything is deleted");
}

#[test]
fn a_call_goes_on_through_a_sleep_and_ends_with_a_crash_that_nobody_comes_back_from() {
    let mut line = Line::new(SocketAuth::Required);
    let links = [line.enters(0), line.enters(1)];
    line.lives(&links, 20_000);
    line.sleeps();
    line.lives(&links, 20_000);
    assert_eq!(line.logs(), [(0, None, 2)]);
    let last = line.now - NOW;
    line.crashes();
    // The alarm that was set before does what is due.
    line.waits(60_000);
    let [(0, Some(end), 2)] = line.logs()[..] else { panic!("{:?}", line.logs()) };
    assert_eq!(end, last, "everybody was lost then");
}

#[test]
fn a_host_that_ends_the_room_or_removes_the_last_other_one_ends_the_call() {
    for action in [
        |line: &Line| HostAction::End { by: line.users[0] },
        |line: &Line| HostAction::Remove { user: line.users[1], by: line.users[0] },
    ] {
        let mut line = Line::new(SocketAuth::Required);
        line.enters(0);
        line.enters(1);
        line.waits(4_000);
        let (action, now) = (action(&line), line.now);
        line.act(|room| room.host_acts(action, now));
        assert_eq!(line.logs(), [(0, Some(4_000), 2)]);
    }
}
