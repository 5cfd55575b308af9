//! Reporting, ending and listing calls.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::{join, join_all};
use zetra_domain::*;
use zetra_store::*;

use super::{World, at, created, merged, page};

pub async fn two_reports_of_one_call_make_one_log(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let cid = world.registers("cid").await;
    let room = world.room_of(&[ann, bob, cid]).await;
    let log = created(world.reports(&world.call(room, [ann, bob], 10, None)).await);
    let same = merged(world.reports(&world.call(room, [bob, cid], 5, None)).await);
    assert_eq!((same.id, same.start, same.participants.len()), (log.id, at(5), 3));
    for user in [ann, bob, cid] {
        let logs = world.calls_of(user).await;
        assert_eq!(logs.len(), 1, "everybody in the call sees it once");
        assert_eq!(logs[0].start, at(5));
    }
    assert!(matches!(world.ends(room, ann, 100).await, Ended::Ended(_)));
    created(world.reports(&world.call(room, [ann, bob], 1_000, Some(1_010))).await);
}

pub async fn reports_at_the_same_time_make_one_log(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let calls = [world.call(room, [ann, bob], 0, None), world.call(room, [bob, ann], 1, None)];
    let [first, second] = [(); 2].map(|()| world.ids.call_log(at(0)));
    let record = |id, call| world.store.record_call(id, call, world.now);
    let (first, second) = join(record(first, &calls[0]), record(second, &calls[1])).await;
    let ids = [first, second].map(|recorded| match recorded {
        Ok(Recorded::Created(log) | Recorded::Merged(log)) => log.id,
        other => panic!("{other:?}"),
    });
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.calls_of(ann).await.len(), 1);
}

pub async fn as_many_reports_at_once_as_a_call_has_people_make_one_log(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let mut people = Vec::new();
    for number in 0..12 {
        people.push(world.registers(&format!("user_{number}")).await);
    }
    let room = world.room_of(&people).await;
    let reports = people.iter().enumerate().map(|(number, caller)| {
        let receiver = people[(number + 1) % people.len()];
        (world.ids.call_log(at(0)), world.call(room, [*caller, receiver], number as i64, None))
    });
    let reports: Vec<_> = reports.collect();
    let recorded =
        join_all(reports.iter().map(|(id, call)| world.store.record_call(*id, call, world.now))).await;
    assert!(
        recorded.iter().all(|recorded| matches!(recorded, Ok(Recorded::Created(_) | Recorded::Merged(_)))),
        "{recorded:?}"
    );
    let logs = world.calls_of(people[0]).await;
    assert_eq!((logs.len(), logs[0].participants.len()), (1, 12));
}

pub async fn reports_of_strangers_are_refused(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    let nobody = world.ids.user(at(0));
    assert_eq!(
        world.reports(&world.call(room, [ann, nobody], 0, None)).await,
        Recorded::UnknownUsers(vec![nobody])
    );
    assert_eq!(world.reports(&world.call(room, [ann, bob], 0, None)).await, Recorded::NotParticipant);
    let unknown = RoomId::from_random([99; 16]);
    assert_eq!(world.reports(&world.call(unknown, [ann, bob], 0, None)).await, Recorded::RoomNotFound);
    assert_eq!(world.calls_of(ann).await, []);
}

pub async fn a_call_is_ended_by_one_of_its_people(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let cid = world.registers("cid").await;
    let room = world.room_of(&[ann, bob, cid]).await;
    assert_eq!(world.ends(room, ann, 5).await, Ended::NotActive);
    created(world.reports(&world.call(room, [ann, bob], 10, None)).await);
    assert_eq!(world.ends(room, cid, 20).await, Ended::NotInCall);
    assert_eq!(world.ends(room, ann, 9).await, Ended::BeforeStart);
    let Ended::Ended(log) = world.ends(room, bob, 25).await else { panic!("not ended") };
    assert_eq!((log.end(), log.duration()), (Some(at(25)), 15));
    assert_eq!(world.ends(room, ann, 26).await, Ended::NotActive);
}

pub async fn calls_come_newest_first_and_paging_neither_misses_nor_repeats(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let mut expected = HashSet::new();
    for number in 0..7 {
        let room = world.room_of(&[ann, bob]).await;
        let call = world.call(room, [ann, bob], 1_000 * (number / 2), None);
        expected.insert(created(world.reports(&call).await).id);
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.store.calls_of(bob, page("3"), cursor.as_ref(), world.now).await.unwrap();
        seen.extend(page.items);
        let room = world.room_of(&[ann, bob]).await;
        created(world.reports(&world.call(room, [ann, bob], 9_000, None)).await);
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.iter().map(|log| log.id).collect::<HashSet<_>>(), expected);
    assert!(seen.is_sorted_by(|a, b| a.start >= b.start));
    assert_eq!(seen[0].caller.as_ref().map(|person| person.username.as_str()), Some("ann"));
}

pub async fn statistics_count_what_the_user_took_part_in(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    assert_eq!(world.stats_of(ann).await, CallStats::new(0, 0, 0));
    let room = world.room_of(&[ann, bob]).await;
    for (start, end) in [(0, Some(100)), (1_000, Some(1_050)), (5_000, None)] {
        created(world.reports(&world.call(room, [ann, bob], start, end)).await);
    }
    let stats = world.stats_of(bob).await;
    assert_eq!((stats.total_calls, stats.completed_calls, stats.active_calls), (3, 2, 1));
    assert_eq!((stats.total_duration, stats.average_duration), (150, 50));
    let cid = world.registers("cid").await;
    assert_eq!(world.stats_of(cid).await.total_calls, 0);
}

pub async fn a_report_of_an_earlier_call_does_not_end_the_one_that_runs(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let first = created(world.reports(&world.call(room, [ann, bob], 0, None)).await);
    assert!(matches!(world.ends(room, ann, 100).await, Ended::Ended(_)));
    let redialled = merged(world.reports(&world.call(room, [ann, bob], 130, None)).await);
    assert_eq!((redialled.id, redialled.end()), (first.id, None), "a redial goes on with the call");
    // The other client reports the first part only now.
    let late = merged(world.reports(&world.call(room, [bob, ann], 1, Some(100))).await);
    assert_eq!((late.id, late.start, late.end()), (first.id, at(0), None));
    let Ended::Ended(log) = world.ends(room, bob, 200).await else { panic!("not ended") };
    assert_eq!((log.id, log.duration()), (first.id, 200));
    let again = merged(world.reports(&world.call(room, [bob, ann], 131, None)).await);
    assert_eq!((again.end(), again.duration()), (Some(at(200)), 200), "a late report reopens nothing");
}

pub async fn an_end_is_not_before_the_last_report(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    created(world.reports(&world.call(room, [ann, bob], 0, None)).await);
    merged(world.reports(&world.call(room, [bob, ann], 90, None)).await);
    let Ended::Ended(log) = world.ends(room, ann, 60).await else { panic!("not ended") };
    assert_eq!(log.end(), Some(at(90)));
}

pub async fn times_are_brought_within_the_rooms_life_and_then_compared(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    world.now = at(500);
    let early = created(world.reports(&world.call(room, [ann, bob], -900, Some(100))).await);
    assert_eq!((early.start, early.end(), early.duration()), (at(0), Some(at(100)), 100));
    assert_eq!(
        world.reports(&world.call(room, [ann, bob], 600, Some(400))).await,
        Recorded::BeforeStart,
        "from now until before"
    );
    let future = created(world.reports(&world.call(room, [ann, bob], 100_000, None)).await);
    assert_eq!((future.start, future.end()), (at(500), None));
    world.now = at(700);
    assert_eq!(world.ends(room, ann, 499).await, Ended::BeforeStart);
    assert_eq!(world.ends(room, ann, -5).await, Ended::BeforeStart);
    let Ended::Ended(log) = world.ends(room, ann, 100_000).await else { panic!("not ended") };
    assert_eq!((log.id, log.end(), log.duration()), (future.id, Some(at(700)), 200));
    assert_eq!(world.calls_of(bob).await.iter().map(CallLog::duration).collect::<Vec<_>>(), [200, 100]);
    // Times far beyond both ends cover all of the room's life, and so are one call.
    let all = merged(world.reports(&world.call(room, [ann, bob], -1_000_000, Some(1_000_000))).await);
    assert_eq!((all.id, all.start, all.end()), (early.id, at(0), Some(at(700))));
    assert_eq!(world.calls_of(bob).await.len(), 1);
}

pub async fn a_report_that_bridges_logs_joins_them_to_the_first(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let (cid, dan) = (world.registers("cid").await, world.registers("dan").await);
    let room = world.room_of(&[ann, bob, cid, dan]).await;
    let other = created(world.reports(&world.call(room, [bob, cid], 300, Some(400))).await);
    let first = created(world.reports(&world.call(room, [ann, bob], 100, Some(150))).await);
    // Reachable only through the calls that the bridge joins: cid is in neither of its ends.
    let hidden = created(world.reports(&world.call(room, [cid, dan], 0, Some(60))).await);
    let strangers = created(world.reports(&world.call(room, [ann, dan], 3_000, Some(3_100))).await);
    let joined = merged(world.reports(&world.call(room, [ann, bob], 140, Some(290))).await);
    assert_eq!(joined.id, other.id, "the log made first stays");
    assert_eq!((joined.caller, joined.receiver), (bob, cid));
    assert_eq!((joined.start, joined.end(), joined.duration()), (at(0), Some(at(400)), 400));
    assert_eq!(joined.participants.iter().collect::<HashSet<_>>().len(), 4);
    for user in [ann, bob, cid, dan] {
        let mut expected = vec![joined.id];
        if [ann, dan].contains(&user) {
            expected.insert(0, strangers.id);
        }
        let ids: Vec<_> = world.calls_of(user).await.iter().map(|log| log.id).collect();
        assert_eq!(ids, expected, "neither {} nor {} is left", first.id, hidden.id);
        let stats = world.stats_of(user).await;
        let seconds = if expected.len() == 2 { 500 } else { 400 };
        assert_eq!((stats.total_calls, stats.total_duration), (expected.len() as i64, seconds));
    }
    let again = merged(world.reports(&world.call(room, [ann, bob], 140, Some(290))).await);
    assert_eq!(
        (again.id, again.start, again.end()),
        (joined.id, joined.start, joined.end()),
        "twice as once"
    );
    created(world.reports(&world.call(room, [cid, dan], 500, Some(600))).await);
}

pub async fn a_late_report_belongs_to_the_call_it_falls_into_not_to_the_next(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    // The later call is reported first.
    let later = created(world.reports(&world.call(room, [ann, bob], 1_000, Some(1_100))).await);
    let earlier = created(world.reports(&world.call(room, [ann, bob], 0, Some(100))).await);
    let late = merged(world.reports(&world.call(room, [bob, ann], 2, None)).await);
    assert_eq!((late.id, late.end()), (earlier.id, Some(at(100))));
    let ids: Vec<_> = world.calls_of(ann).await.iter().map(|log| log.id).collect();
    assert_eq!(ids, [later.id, earlier.id]);
}

pub async fn a_call_that_nobody_ends_is_over_a_day_after_its_last_report(store: Arc<dyn Store>) {
    const DAY: i64 = 24 * 3_600;
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let log = created(world.reports(&world.call(room, [ann, bob], 0, None)).await);
    world.now = at(DAY - 1);
    let again = merged(world.reports(&world.call(room, [ann, bob], 3_600, None)).await);
    assert_eq!((again.id, again.start, again.end()), (log.id, at(0), None));

    world.now = at(DAY + 3_599);
    assert_eq!(world.calls_of(ann).await[0].end(), None);
    assert_eq!(world.stats_of(ann).await, CallStats::new(1, 0, 0));

    world.now = at(DAY + 3_600);
    let shown = &world.calls_of(ann).await[0];
    assert_eq!((shown.end(), shown.duration()), (Some(at(3_600)), 3_600));
    assert_eq!(world.stats_of(ann).await, CallStats::new(1, 1, 3_600));
    assert_eq!(world.ends(room, ann, DAY + 3_600).await, Ended::NotActive);

    let next = created(world.reports(&world.call(room, [bob, ann], DAY, None)).await);
    assert_eq!(world.stats_of(ann).await, CallStats::new(2, 1, 3_600));
    let redialled = merged(world.reports(&world.call(room, [ann, bob], 3_630, Some(3_700))).await);
    assert_eq!((redialled.id, redialled.end()), (log.id, Some(at(3_700))), "within a minute of its end");
    let Ended::Ended(ended) = world.ends(room, bob, DAY + 600).await else { panic!("not ended") };
    assert_eq!((ended.id, ended.duration()), (next.id, 600));
    // As it would if it had arrived in time: the next report about them is its end.
    let between = merged(world.reports(&world.call(room, [ann, bob], 10_000, None)).await);
    assert_eq!((between.id, between.start, between.end()), (next.id, at(10_000), Some(at(DAY + 600))));
}

pub async fn a_long_call_is_found_behind_many_short_ones_of_others(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let (cid, dan) = (world.registers("cid").await, world.registers("dan").await);
    let room = world.room_of(&[ann, bob, cid, dan]).await;
    let long = created(world.reports(&world.call(room, [ann, bob], 0, None)).await);
    for minute in 1..30 {
        let start = minute * 120;
        created(world.reports(&world.call(room, [cid, dan], start, Some(start + 5))).await);
    }
    // Ann's is the only one of her calls, and cid's last one is over by then.
    let joined = merged(world.reports(&world.call(room, [cid, ann], 5_000, None)).await);
    assert_eq!((joined.id, joined.start), (long.id, at(0)));
    let ids: Vec<_> = world.calls_of(cid).await.iter().map(|log| log.id).collect();
    assert_eq!(ids, [long.id], "cid was in the call from its start on, so all of his were parts of it");
}

pub async fn a_call_of_too_many_logs_is_joined_bit_by_bit(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let mut first = None;
    for number in 0..130 {
        let start = number * 70;
        let log = created(world.reports(&world.call(room, [ann, bob], start, Some(start + 5))).await);
        first.get_or_insert(log.id);
    }
    let all = world.call(room, [ann, bob], 0, Some(9_500));
    let id = world.ids.call_log(at(0));
    let partly = world.store.record_call(id, &all, world.now).await;
    assert!(!matches!(partly, Ok(Recorded::Created(_))), "{partly:?}");
    let mut joined = partly;
    while let Err(error) = joined {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        let id = world.ids.call_log(at(0));
        joined = world.store.record_call(id, &all, world.now).await;
    }
    let log = merged(joined.unwrap());
    assert_eq!((Some(log.id), log.start, log.end()), (first, at(0), Some(at(9_500))));
    assert_eq!(world.stats_of(bob).await, CallStats::new(1, 1, 9_500));
}
