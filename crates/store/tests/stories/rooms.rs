//! Joining, admission, reading a room, lists of rooms.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;
use zetra_domain::*;
use zetra_store::*;

use super::{World, at, hash, page};

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
    world.deletes(ann).await;
    let gone = Admission { membership: Membership::RoomNotFound, tokens: None };
    assert_eq!(world.store.admission(room, ann).await, Ok(gone), "the room ended with its last participant");
}

pub async fn a_room_tells_its_people_by_name_in_their_order(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    // This is their order neither by id nor by name.
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
    world.deletes(zoe).await;
    assert_eq!(names().await, ["ann", "bob", "cid"]);
    let mut left = Room::new(RoomId::from_random([98; 16]), bob, at(0));
    left.participants.push(zoe);
    assert_eq!(world.store.insert_room(&left).await, Ok(true));
    let left = world.store.room(left.id).await.unwrap().unwrap();
    assert_eq!(left.room.participants, [bob, zoe], "as it is stored");
    let people: Vec<_> = left.people.iter().map(|person| person.id).collect();
    assert_eq!(people, [bob], "who has no account has no name");
}

pub async fn ended_and_unknown_rooms_cannot_be_joined(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    world.deletes(ann).await;
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

pub async fn whoever_has_deleted_their_account_meanwhile_joins_no_room(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.makes_room(ann, 0).await;
    world.deletes(bob).await;
    assert_eq!(world.store.join_room(room, bob).await, Ok(Join::NotFound));
    let told = world.store.room(room).await.unwrap().unwrap();
    assert_eq!(told.room.participants, [ann]);
}

pub async fn whoever_has_deleted_their_account_meanwhile_makes_no_room(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let ann = world.registers("ann").await;
    world.deletes(ann).await;
    let room = Room::new(RoomId::from_random([97; 16]), ann, at(0));
    assert_eq!(world.store.insert_room(&room).await, Ok(false));
    let made = world.store.room(room.id).await.unwrap();
    assert!(made.is_none_or(|made| !made.room.active && made.people.is_empty()), "nobody could end it");
}

pub async fn a_room_is_full_at_a_thousand(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let [ann, last, late] =
        [world.registers("ann").await, world.registers("bob").await, world.registers("cat").await];
    let mut room = Room::new(RoomId::from_random([9; 16]), ann, at(0));
    room.participants.extend((2..1_000).map(|_| world.ids.user(at(0))));
    assert_eq!(world.store.insert_room(&room).await, Ok(true));
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
