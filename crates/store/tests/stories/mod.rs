//! The stories. Each gets an empty store.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::{join, join_all};
use zetra_domain::*;
use zetra_store::*;

/// Calls a macro with the names of all stories.
macro_rules! every_story {
    ($run:ident) => {
        $run! {
            a_user_is_found_by_id_and_by_email,
            taken_names_are_told_apart,
            of_two_registrations_at_once_exactly_one_wins,
            a_profile_changes_only_what_is_given,
            a_password_change_bumps_the_version_and_keeps_one_token,
            a_hash_is_renewed_only_if_nobody_was_faster,
            joining_twice_or_at_once_is_joining_once,
            an_admission_tells_membership_and_living_tokens_apart,
            a_room_tells_its_people_by_name_in_their_order,
            ended_and_unknown_rooms_cannot_be_joined,
            a_room_is_full_at_a_thousand,
            rooms_come_newest_first_and_paging_neither_misses_nor_repeats,
            a_deleted_account_leaves_its_rooms_and_its_name_is_gone,
            two_reports_of_one_call_make_one_log,
            reports_at_the_same_time_make_one_log,
            reports_of_strangers_are_refused,
            a_call_is_ended_by_one_of_its_people,
            calls_come_newest_first_and_paging_neither_misses_nor_repeats,
            statistics_count_what_the_user_took_part_in,
        }
    };
}

const START: i64 = 1_700_000_000_000;

/// An empty store, somebody who makes ids, and a few words for what people do.
struct World {
    store: Arc<dyn Store>,
    ids: ObjectIds,
    rooms: u8,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1_000)
}

fn page(limit: &str) -> PageLimit {
    PageLimit::parse(Some(limit)).unwrap()
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::stored(text.to_owned())
}

impl World {
    fn new(store: Arc<dyn Store>) -> Self {
        Self { store, ids: ObjectIds::new([1; 8]), rooms: 0 }
    }

    fn new_user(&mut self, name: &str, email: &str) -> NewUser {
        let user = User {
            id: self.ids.user(at(0)),
            username: Username::parse(name).unwrap(),
            email: Email::parse(email).unwrap(),
            created_at: at(0),
        };
        NewUser { user, password_hash: hash("first") }
    }

    async fn registers(&mut self, name: &str) -> UserId {
        let new = self.new_user(name, &format!("{name}@example.com"));
        assert_eq!(self.store.insert_user(&new).await, Ok(Ok(())));
        new.user.id
    }

    async fn makes_room(&mut self, host: UserId, created: i64) -> RoomId {
        self.rooms += 1;
        let room = Room::new(RoomId::from_random([self.rooms; 16]), host, at(created));
        self.store.insert_room(&room).await.unwrap();
        room.id
    }

    async fn room_of(&mut self, people: &[UserId]) -> RoomId {
        let room = self.makes_room(people[0], 0).await;
        for person in &people[1..] {
            assert!(matches!(self.store.join_room(room, *person).await, Ok(Join::Joined(_))));
        }
        room
    }

    fn call(&self, room: RoomId, people: [UserId; 2], start: i64, end: Option<i64>) -> Call {
        let [caller, receiver] = people;
        Call { room, caller, receiver, participants: people.to_vec(), start: at(start), end: end.map(at) }
    }

    async fn reports(&mut self, call: &Call) -> Recorded {
        let id = self.ids.call_log(at(0));
        self.store.record_call(id, call).await.unwrap()
    }

    async fn ends(&mut self, room: RoomId, user: UserId, end: i64) -> Ended {
        let write = self.ids.call_log(at(0));
        self.store.end_call(write, room, user, at(end)).await.unwrap()
    }

    async fn calls_of(&self, user: UserId) -> Vec<CallLog<Option<Person>>> {
        self.store.calls_of(user, page("100"), None).await.unwrap().items
    }
}

fn created(recorded: Recorded) -> CallLog {
    match recorded {
        Recorded::Created(log) => log,
        other => panic!("not created: {other:?}"),
    }
}

fn merged(recorded: Recorded) -> CallLog {
    match recorded {
        Recorded::Merged(log) => log,
        other => panic!("not merged: {other:?}"),
    }
}

pub async fn a_user_is_found_by_id_and_by_email(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    assert_eq!(world.store.ping().await, Ok(()));
    let ann = world.registers("ann").await;
    let by_id = world.store.account(ann).await.unwrap().unwrap();
    let email = Email::parse("ANN@example.com").unwrap();
    let by_email = world.store.account_by_email(&email).await.unwrap().unwrap();
    assert_eq!(by_id.user, by_email.user);
    let tokens = HonouredTokens { version: 0, kept: None };
    assert_eq!((by_id.password_hash, by_id.tokens), (hash("first"), tokens));
    let nobody = world.ids.user(at(0));
    assert!(world.store.account(nobody).await.unwrap().is_none());
}

pub async fn taken_names_are_told_apart(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    world.registers("ann").await;
    world.registers("bob").await;
    for (name, email, taken) in [
        ("new", "ann@example.com", Taken::Email),
        ("ann", "new@example.com", Taken::Username),
        ("bob", "ann@example.com", Taken::Email),
    ] {
        let new = world.new_user(name, email);
        assert_eq!(world.store.insert_user(&new).await, Ok(Err(taken)), "{name} {email}");
        assert!(world.store.account(new.user.id).await.unwrap().is_none(), "nothing was stored");
    }
    let new = world.new_user("Ann", "other@example.com");
    assert_eq!(world.store.insert_user(&new).await, Ok(Ok(())), "names are unique as typed");
    assert_eq!(world.store.insert_user(&new).await, Ok(Ok(())), "repeating an insert is harmless");
}

pub async fn of_two_registrations_at_once_exactly_one_wins(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let news: Vec<_> = (0..5).map(|n| world.new_user("ann", &format!("ann{n}@example.com"))).collect();
    let outcomes = join_all(news.iter().map(|new| world.store.insert_user(new))).await;
    let won = outcomes.iter().filter(|outcome| **outcome == Ok(Ok(()))).count();
    let lost = outcomes.iter().filter(|outcome| **outcome == Ok(Err(Taken::Username))).count();
    assert_eq!((won, lost), (1, 4), "{outcomes:?}");
}

pub async fn a_profile_changes_only_what_is_given(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let ann = world.registers("ann").await;
    world.registers("bob").await;
    let name = |text| Username::parse(text).unwrap();
    let email = |text| Email::parse(text).unwrap();
    let update = world.store.update_profile(ann, Some(&name("anna")), None).await.unwrap();
    let ProfileUpdate::Updated(user) = update else { panic!("{update:?}") };
    assert_eq!((user.username.as_str(), user.email.as_str()), ("anna", "ann@example.com"));
    let same = world.store.update_profile(ann, Some(&name("anna")), Some(&email("ann@example.com"))).await;
    assert!(matches!(same, Ok(ProfileUpdate::Updated(_))), "one's own names are not taken");
    let taken = world.store.update_profile(ann, Some(&name("bob")), Some(&email("bob@example.com"))).await;
    assert_eq!(taken, Ok(ProfileUpdate::Taken(Taken::Username)));
    let taken = world.store.update_profile(ann, Some(&name("free")), Some(&email("bob@example.com"))).await;
    assert_eq!(taken, Ok(ProfileUpdate::Taken(Taken::Email)));
    let account = world.store.account(ann).await.unwrap().unwrap();
    assert_eq!(account.user.username.as_str(), "anna", "a refused update changes nothing");
    let nobody = world.ids.user(at(0));
    let gone = world.store.update_profile(nobody, Some(&name("ghost")), None).await;
    assert_eq!(gone, Ok(ProfileUpdate::Gone));
}

pub async fn a_password_change_bumps_the_version_and_keeps_one_token(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let ann = world.registers("ann").await;
    let kept = TokenFingerprint::stored("mark".to_owned());
    let change = world.store.change_password(ann, &hash("first"), &hash("second"), &kept).await;
    assert_eq!(change, Ok(Some(1)));
    let late = world.store.change_password(ann, &hash("first"), &hash("third"), &kept).await;
    assert_eq!(late, Ok(None), "somebody else was faster");
    let account = world.store.account(ann).await.unwrap().unwrap();
    assert_eq!(account.tokens, HonouredTokens { version: 1, kept: Some(kept) });
    assert_eq!(account.password_hash, hash("second"));
}

pub async fn a_hash_is_renewed_only_if_nobody_was_faster(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let ann = world.registers("ann").await;
    world.store.renew_hash(ann, &hash("other"), &hash("second")).await.unwrap();
    assert_eq!(world.store.account(ann).await.unwrap().unwrap().password_hash, hash("first"));
    world.store.renew_hash(ann, &hash("first"), &hash("second")).await.unwrap();
    let account = world.store.account(ann).await.unwrap().unwrap();
    assert_eq!((account.password_hash, account.tokens.version), (hash("second"), 0));
}

pub async fn joining_twice_or_at_once_is_joining_once(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    join_all((0..10).map(|_| world.store.join_room(room, bob))).await;
    let Ok(Join::Joined(joined)) = world.store.join_room(room, bob).await else { panic!("not joined") };
    assert_eq!((joined.host, joined.participants), (ann, vec![ann, bob]));
}

pub async fn an_admission_tells_membership_and_living_tokens_apart(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    let (unknown, nobody) = (RoomId::from_random([99; 16]), world.ids.user(at(0)));
    let kept = TokenFingerprint::stored("mark".to_owned());
    world.store.change_password(ann, &hash("first"), &hash("second"), &kept).await.unwrap();
    let of_ann = Some(HonouredTokens { version: 1, kept: Some(kept) });
    let of_bob = Some(HonouredTokens { version: 0, kept: None });
    for (room, user, membership, tokens) in [
        (room, ann, Membership::Participant, of_ann.clone()),
        (room, bob, Membership::NotParticipant, of_bob.clone()),
        (room, nobody, Membership::NotParticipant, None),
        (unknown, ann, Membership::RoomNotFound, of_ann),
        (unknown, nobody, Membership::RoomNotFound, None),
    ] {
        assert_eq!(world.store.admission(room, user).await, Ok(Admission { membership, tokens }));
    }
    world.store.delete_user(ann).await.unwrap();
    let gone = Admission { membership: Membership::RoomNotFound, tokens: None };
    assert_eq!(world.store.admission(room, ann).await, Ok(gone), "the room ended with its last participant");
}

pub async fn a_room_tells_its_people_by_name_in_their_order(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    // Neither by id nor by name is this their order.
    let (zoe, ann) = (world.registers("zoe").await, world.registers("ann").await);
    let (cid, bob) = (world.registers("cid").await, world.registers("bob").await);
    let room = world.room_of(&[ann, zoe, bob, cid]).await;
    let names = async || {
        let RoomWithPeople { room, people } = world.store.room(room).await.unwrap().unwrap();
        let ids: Vec<_> = people.iter().map(|person| person.id).collect();
        assert_eq!(ids, room.participants);
        people.into_iter().map(|person| person.username.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["ann", "zoe", "bob", "cid"]);
    world.store.delete_user(zoe).await.unwrap();
    assert_eq!(names().await, ["ann", "bob", "cid"]);
    let mut left = Room::new(RoomId::from_random([98; 16]), bob, at(0));
    left.participants.push(zoe);
    world.store.insert_room(&left).await.unwrap();
    let left = world.store.room(left.id).await.unwrap().unwrap();
    assert_eq!(left.room.participants, [bob, zoe], "as it is stored");
    let people: Vec<_> = left.people.iter().map(|person| person.id).collect();
    assert_eq!(people, [bob], "who has no account has no name");
}

pub async fn ended_and_unknown_rooms_cannot_be_joined(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    world.store.delete_user(ann).await.unwrap();
    let unknown = RoomId::from_random([99; 16]);
    for room in [room, unknown] {
        assert_eq!(world.store.join_room(room, bob).await, Ok(Join::NotFound));
        let admission = world.store.admission(room, ann).await.unwrap();
        assert_eq!(admission.membership, Membership::RoomNotFound);
    }
    assert_eq!(world.store.room(unknown).await, Ok(None));
    let ended = world.store.room(room).await.unwrap().unwrap();
    assert!(!ended.room.active && ended.people.is_empty(), "an ended room can still be looked at");
}

pub async fn a_room_is_full_at_a_thousand(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let [ann, last, late] =
        [world.registers("ann").await, world.registers("bob").await, world.registers("cat").await];
    let mut room = Room::new(RoomId::from_random([9; 16]), ann, at(0));
    room.participants.extend((2..1_000).map(|_| world.ids.user(at(0))));
    world.store.insert_room(&room).await.unwrap();
    assert!(matches!(world.store.join_room(room.id, last).await, Ok(Join::Joined(_))), "the thousandth");
    assert_eq!(world.store.join_room(room.id, late).await, Ok(Join::Full));
    assert!(matches!(world.store.join_room(room.id, last).await, Ok(Join::Joined(_))), "already in");
}

pub async fn rooms_come_newest_first_and_paging_neither_misses_nor_repeats(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let mut expected = HashSet::new();
    for number in 0..7 {
        // Pairs of rooms made in the same millisecond.
        expected.insert(world.makes_room(ann, number / 2).await);
    }
    world.makes_room(bob, 3).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.store.rooms_of(ann, page("2"), cursor.as_ref()).await.unwrap();
        seen.extend(page.items);
        // Rows inserted while somebody pages through come before the cursor and change nothing.
        world.makes_room(ann, 100).await;
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.iter().map(|room| room.id).collect::<HashSet<_>>(), expected);
    assert!(seen.is_sorted_by(|a, b| a.created_at >= b.created_at));
}

pub async fn a_deleted_account_leaves_its_rooms_and_its_name_is_gone(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let cid = world.registers("cid").await;
    let hosted = world.room_of(&[ann, cid, bob]).await;
    let alone = world.makes_room(ann, 1).await;
    let visited = world.room_of(&[bob, ann]).await;
    let call = world.call(hosted, [ann, bob], 0, Some(10));
    created(world.reports(&call).await);
    let mut left: Vec<_> = world.store.delete_user(ann).await.unwrap();
    left.sort();
    let mut rooms = vec![hosted, alone, visited];
    rooms.sort();
    assert_eq!(left, rooms);
    assert!(world.store.account(ann).await.unwrap().is_none());
    let hosted = world.store.room(hosted).await.unwrap().unwrap().room;
    assert_eq!((hosted.host, hosted.participants, hosted.active), (cid, vec![cid, bob], true));
    assert!(!world.store.room(alone).await.unwrap().unwrap().room.active);
    let visited = world.store.room(visited).await.unwrap().unwrap().room;
    assert_eq!((visited.host, visited.participants), (bob, vec![bob]));
    let logs = world.calls_of(bob).await;
    assert_eq!(logs.len(), 1, "others' logs stay");
    assert_eq!(logs[0].caller, None);
    assert_eq!(logs[0].receiver.as_ref().map(|person| person.id), Some(bob));
    assert_eq!(world.registers("ann").await.to_string().len(), 24, "the names are free again");
}

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
    let (first, second) =
        join(world.store.record_call(first, &calls[0]), world.store.record_call(second, &calls[1])).await;
    let ids = [first, second].map(|recorded| match recorded {
        Ok(Recorded::Created(log) | Recorded::Merged(log)) => log.id,
        other => panic!("{other:?}"),
    });
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.calls_of(ann).await.len(), 1);
}

pub async fn reports_of_strangers_are_refused(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    let nobody = world.ids.user(at(0));
    assert_eq!(world.reports(&world.call(room, [ann, nobody], 0, None)).await, Recorded::UnknownUser);
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
    assert_eq!((log.end, log.duration), (Some(at(25)), 15));
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
        let page = world.store.calls_of(bob, page("3"), cursor.as_ref()).await.unwrap();
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
    assert_eq!(world.store.call_stats(ann).await, Ok(CallStats::new(0, 0, 0)));
    let room = world.room_of(&[ann, bob]).await;
    for (start, end) in [(0, Some(100)), (1_000, Some(1_050)), (5_000, None)] {
        created(world.reports(&world.call(room, [ann, bob], start, end)).await);
    }
    let stats = world.store.call_stats(bob).await.unwrap();
    assert_eq!((stats.total_calls, stats.completed_calls, stats.active_calls), (3, 2, 1));
    assert_eq!((stats.total_duration, stats.average_duration), (150, 50));
    let cid = world.registers("cid").await;
    assert_eq!(world.store.call_stats(cid).await.map(|stats| stats.total_calls), Ok(0));
}
