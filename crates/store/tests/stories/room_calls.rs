//! Calls that the room itself keeps, and what clients report about them.

use std::sync::Arc;

use zetra_domain::*;
use zetra_store::*;

use super::{World, at, merged};

impl World {
    /// A log as a room keeps it, over or open since its start.
    fn kept(&mut self, room: RoomId, people: &[UserId], start: i64, end: Option<i64>) -> CallLog {
        let call = self.call(room, [people[0], people[1]], start, end);
        let call = Call { participants: people.to_vec(), ..call };
        CallLog { kept_by_room: true, ..CallLog::new(self.ids.call_log(at(0)), call) }
    }

    async fn room_reports(&mut self, log: &CallLog) -> Option<CallLog> {
        let write = self.ids.call_log(at(0));
        self.store.record_room_call(write, log, self.now).await.unwrap().map(|call| call.log)
    }
}

fn times(log: &CallLog) -> (Timestamp, Option<Timestamp>) {
    (log.start, log.end())
}

pub async fn what_a_room_and_its_clients_say_of_one_call_is_one_log_in_whatever_order(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    // The room twice, open and over; a client without an end, one with wrong times and one more person.
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [3, 0, 1, 2], [0, 2, 1, 3], [2, 3, 0, 1]] {
        let room = world.room_of(&[ann, bob, cat]).await;
        let open = world.kept(room, &[ann, bob], 1_000, None);
        let over = CallLog { state: CallState::Over { at: at(1_300) }, ..open.clone() };
        for said in order {
            let call = match said {
                0 => world.call(room, [bob, ann], 1_010, None),
                1 => Call {
                    participants: vec![ann, bob, cat],
                    ..world.call(room, [ann, bob], 900, Some(1_900))
                },
                _ => {
                    let log = if said == 2 { &open } else { &over };
                    assert!(world.room_reports(log).await.is_some());
                    continue;
                }
            };
            world.reports(&call).await;
        }
        let logs = world.calls_of(ann).await;
        let mine: Vec<_> = logs.into_iter().filter(|log| log.room == room).collect();
        assert_eq!(mine.len(), 1, "{order:?}: {mine:?}");
        assert_eq!((mine[0].start, mine[0].end()), (at(1_000), Some(at(1_300))), "{order:?}: the room's own");
        let mut people = mine[0].participants.clone();
        people.sort();
        assert_eq!(people, [ann, bob, cat], "{order:?}");
    }
}

pub async fn a_call_that_its_room_keeps_is_ended_by_the_room(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob, cat]).await;
    world.now = at(1_000);
    let open = world.kept(room, &[ann, bob], 1_000, None);
    let first = world.room_reports(&open).await.unwrap();
    assert_eq!(times(&first), (at(1_000), None));
    world.now = at(1_200);
    assert_eq!(world.ends(room, bob, 1_100).await, Ended::AsItIs(first.clone()), "it runs");
    assert_eq!(world.ends(room, cat, 1_100).await, Ended::NotInCall);
    let posted = world.call(room, [bob, ann], 1_005, None);
    assert_eq!(merged(world.reports(&posted).await), first, "a post adds nothing");
    let over = CallLog { state: CallState::Over { at: at(1_200) }, ..open.clone() };
    let last = world.room_reports(&over).await.unwrap();
    assert_eq!((last.id, times(&last)), (first.id, (at(1_000), Some(at(1_200)))));
    assert_eq!(world.room_reports(&open).await, Some(last.clone()), "late, and twice");
    world.now = at(1_799);
    assert_eq!(world.ends(room, ann, 1_790).await, Ended::AsItIs(last.clone()), "for ten minutes");
    assert_eq!(world.ends(room, cat, 1_790).await, Ended::NotActive);
    world.now = at(1_800);
    assert_eq!(world.ends(room, ann, 1_790).await, Ended::NotActive);
    assert_eq!(world.stats_of(ann).await, CallStats::new(1, 1, 200));
}

pub async fn a_client_cannot_make_one_call_of_two_that_the_room_kept(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let first = world.kept(room, &[ann, bob], 1_000, Some(1_100));
    let second = world.kept(room, &[bob, ann], 5_000, Some(5_200));
    for log in [&first, &second] {
        assert_eq!(world.room_reports(log).await.as_ref(), Some(log));
    }
    for (start, end) in [(900, None), (1_000, Some(6_000)), (1_050, Some(5_100)), (0, Some(9_000))] {
        let call = world.call(room, [ann, bob], start, end);
        assert_eq!(merged(world.reports(&call).await), first, "{start}: it belongs to the first");
    }
    let call = world.call(room, [ann, bob], 5_010, None);
    assert_eq!(merged(world.reports(&call).await), second);
    assert_eq!(world.calls_of(bob).await.len(), 2);
}

pub async fn a_redial_within_a_minute_is_the_same_call(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob, cat]).await;
    let first = world.kept(room, &[ann, bob], 1_000, Some(1_100));
    world.room_reports(&first).await.unwrap();
    let again = world.kept(room, &[ann, cat], 1_159, None);
    let joined = world.room_reports(&again).await.unwrap();
    assert_eq!((joined.id, times(&joined)), (first.id, (at(1_000), None)));
    assert_eq!(joined.participants, [ann, bob, cat]);
    let over = CallLog { state: CallState::Over { at: at(1_400) }, ..again };
    let joined = world.room_reports(&over).await.unwrap();
    assert_eq!((joined.id, times(&joined)), (first.id, (at(1_000), Some(at(1_400)))));
    let later = world.kept(room, &[ann, bob], 1_460, None);
    assert_eq!(world.room_reports(&later).await, Some(later), "a minute later it is another one");
}

pub async fn a_report_that_joins_two_kept_logs_says_which_is_no_more(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let (cat, dan) = (world.registers("cat").await, world.registers("dan").await);
    let room = world.room_of(&[ann, bob, cat, dan]).await;
    let first = world.kept(room, &[ann, bob], 1_000, Some(1_100));
    let second = world.kept(room, &[cat, dan], 1_130, None);
    for log in [&first, &second] {
        assert_eq!(world.room_reports(log).await.as_ref(), Some(log), "nobody is in both");
    }
    // Ann joins the second call, so the first one continues.
    let third = CallLog { participants: vec![cat, dan, ann], ..second.clone() };
    let write = world.ids.call_log(at(0));
    let call = world.store.record_room_call(write, &third, world.now).await.unwrap().unwrap();
    assert_eq!((call.log.id, call.joined, times(&call.log)), (first.id, vec![second.id], (at(1_000), None)));
}

pub async fn only_what_the_room_ended_is_answered_as_it_is(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let kept = world.kept(room, &[ann, bob], 1_000, Some(1_100));
    world.room_reports(&kept).await.unwrap();
    world.now = at(1_220);
    let own = world.call(room, [ann, bob], 1_170, Some(1_180));
    super::created(world.reports(&own).await);
    assert_eq!(world.ends(room, bob, 1_220).await, Ended::AsItIs(kept), "a client's later one is not meant");
}

pub async fn a_client_cannot_join_two_kept_calls_by_naming_people(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let (cat, dan) = (world.registers("cat").await, world.registers("dan").await);
    let room = world.room_of(&[ann, bob, cat, dan]).await;
    let first = world.kept(room, &[ann, bob], 1_000, Some(1_100));
    let second = world.kept(room, &[cat, dan], 1_120, Some(1_200));
    for log in [&first, &second] {
        world.room_reports(log).await.unwrap();
    }
    let call = world.call(room, [ann, bob], 1_000, Some(1_100));
    let named = Call { participants: vec![ann, bob, cat], ..call };
    assert_eq!(merged(world.reports(&named).await), first, "cat was in the other one");
    assert_eq!(world.calls_of(dan).await.len(), 1);
    assert_eq!(world.calls_of(ann).await.len(), 1);
}

pub async fn a_room_tells_of_people_who_are_gone(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob, cat]).await;
    let log = world.kept(room, &[bob, cat, ann], 1_000, Some(1_100));
    assert!(matches!(
        world.store.change_room(room, ann, &RoomChange::Remove(bob)).await,
        Ok(RoomChanged::Changed(_))
    ));
    world.deletes(cat).await;
    assert!(matches!(
        world.store.change_room(room, ann, &RoomChange::End).await,
        Ok(RoomChanged::Changed(_))
    ));
    assert_eq!(world.room_reports(&log).await.as_ref(), Some(&log));
    let seen = world.calls_of(bob).await.remove(0);
    assert_eq!(seen.caller.map(|person| person.id), Some(bob), "who was removed took part");
    assert_eq!(seen.receiver, None, "whose account is gone has no name");
    for user in [ann, bob] {
        world.deletes(user).await;
    }
    let late = CallLog {
        id: world.ids.call_log(at(0)),
        start: at(2_000),
        state: CallState::Over { at: at(2_100) },
        ..log.clone()
    };
    assert_eq!(world.room_reports(&late).await.as_ref(), Some(&late), "although no account is left");
    let elsewhere = CallLog { room: RoomId::from_random([99; 16]), ..log };
    assert_eq!(world.room_reports(&elsewhere).await, None);
}
