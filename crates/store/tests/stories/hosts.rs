//! What a host does to its room, and what that means for users who want to be in it.

use std::sync::Arc;

use futures_util::future::join;
use zetra_domain::*;
use zetra_store::*;

use super::World;

impl World {
    async fn changes(&self, room: RoomId, host: UserId, change: RoomChange) -> RoomChanged {
        self.store.change_room(room, host, &change).await.unwrap()
    }

    /// The outcome of a change that was made.
    async fn changed(&self, room: RoomId, host: UserId, change: RoomChange) -> Room {
        match self.changes(room, host, change.clone()).await {
            RoomChanged::Changed(room) => room,
            other => panic!("{change:?} was not made: {other:?}"),
        }
    }

    async fn membership(&self, room: RoomId, user: UserId) -> Membership {
        self.store.admission(room, user).await.unwrap().membership
    }
}

fn name(text: &str) -> Option<RoomName> {
    Some(RoomName::parse(text).unwrap())
}

pub async fn a_room_has_the_name_that_its_host_gives_it(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let ann = world.registers("ann").await;
    let named = Room { name: name("Stand-up"), ..Room::new(RoomId::from_random([9; 16]), ann, world.now) };
    assert_eq!(world.store.insert_room(&named).await, Ok(true));
    assert_eq!(world.store.room(named.id).await.unwrap().unwrap().room, named);
    let renamed = world.changed(named.id, ann, RoomChange::Rename(name("Rückblick"))).await;
    assert_eq!(renamed.name, name("Rückblick"));
    let listed = world.store.rooms_of(ann, super::page("1"), None).await.unwrap().items;
    assert_eq!(listed, [renamed]);
    assert_eq!(world.changed(named.id, ann, RoomChange::Rename(None)).await.name, None);
}

pub async fn only_the_host_changes_a_room(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob]).await;
    let before = world.store.room(room).await.unwrap();
    let changes = [
        RoomChange::End,
        RoomChange::Rename(name("mine")),
        RoomChange::Remove(ann),
        RoomChange::Readmit(cat),
        RoomChange::Lock,
        RoomChange::Unlock,
    ];
    let unknown = RoomId::from_random([99; 16]);
    for change in changes {
        for other in [bob, cat] {
            assert_eq!(world.changes(room, other, change.clone()).await, RoomChanged::NotHost, "{change:?}");
        }
        assert_eq!(world.changes(unknown, ann, change.clone()).await, RoomChanged::NotFound, "{change:?}");
    }
    assert_eq!(world.store.room(room).await.unwrap(), before);
}

pub async fn only_participants_are_removed_and_only_the_removed_are_readmitted(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob]).await;
    assert_eq!(world.changes(room, ann, RoomChange::Remove(cat)).await, RoomChanged::NotConcerned);
    assert_eq!(world.changes(room, ann, RoomChange::Readmit(bob)).await, RoomChanged::NotConcerned);
    assert_eq!(world.changed(room, ann, RoomChange::Remove(bob)).await.participants, [ann]);
    assert_eq!(world.changes(room, ann, RoomChange::Remove(bob)).await, RoomChanged::NotConcerned, "twice");
}

pub async fn who_was_removed_stays_out_until_readmitted(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob]).await;
    assert_eq!(world.changed(room, ann, RoomChange::Remove(bob)).await.participants, [ann]);
    assert_eq!(world.membership(room, bob).await, Membership::Removed);
    assert_eq!(world.store.join_room(room, bob).await, Ok(Join::Removed));
    let rooms = world.store.rooms_of(bob, super::page("10"), None).await.unwrap().items;
    assert_eq!((rooms, world.store.active_rooms_of(bob).await.unwrap()), (vec![], vec![]));
    assert!(matches!(world.store.join_room(room, cat).await, Ok(Join::Joined(_))), "nobody else is meant");
    assert_eq!(world.changed(room, ann, RoomChange::Readmit(bob)).await.participants, [ann, cat]);
    assert_eq!(world.membership(room, bob).await, Membership::NotParticipant);
    let Ok(Join::Joined(joined)) = world.store.join_room(room, bob).await else { panic!("not readmitted") };
    assert_eq!(joined.participants, [ann, cat, bob]);
    assert_eq!(world.changed(room, ann, RoomChange::Remove(bob)).await.participants, [ann, cat], "once more");
}

pub async fn a_locked_room_takes_nobody_but_those_already_in_it(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob]).await;
    assert!(world.changed(room, ann, RoomChange::Lock).await.locked);
    assert!(world.changed(room, ann, RoomChange::Lock).await.locked, "twice");
    assert_eq!(world.store.join_room(room, cat).await, Ok(Join::Locked));
    assert_eq!(world.membership(room, cat).await, Membership::LockedOut);
    let Ok(Join::Joined(joined)) = world.store.join_room(room, bob).await else { panic!("bob was in it") };
    assert!(joined.locked);
    assert_eq!(world.membership(room, bob).await, Membership::Participant);
    world.changed(room, ann, RoomChange::Remove(bob)).await;
    assert_eq!(world.store.join_room(room, bob).await, Ok(Join::Removed), "rather than locked");
    assert!(!world.changed(room, ann, RoomChange::Unlock).await.locked);
    assert!(matches!(world.store.join_room(room, cat).await, Ok(Join::Joined(_))));
}

pub async fn an_ended_room_is_over_for_everybody(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    let ended = world.changed(room, ann, RoomChange::End).await;
    assert!(!ended.active && ended.participants == [ann, bob], "its participants are still listed");
    for user in [ann, bob] {
        assert_eq!(world.store.join_room(room, user).await, Ok(Join::NotFound));
        assert_eq!(world.membership(room, user).await, Membership::RoomNotFound);
        assert_eq!(world.store.active_rooms_of(user).await, Ok(vec![]));
    }
    let changes = [
        RoomChange::End,
        RoomChange::Lock,
        RoomChange::Remove(bob),
        RoomChange::Readmit(bob),
        RoomChange::Rename(None),
    ];
    for change in changes {
        assert_eq!(world.changes(room, ann, change.clone()).await, RoomChanged::NotFound, "{change:?}");
    }
}

pub async fn of_a_removal_and_a_join_at_once_the_removal_stays(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    for _ in 0..20 {
        let room = world.room_of(&[ann, bob]).await;
        let removal = RoomChange::Remove(bob);
        let (removed, joined) =
            join(world.store.change_room(room, ann, &removal), world.store.join_room(room, bob)).await;
        assert!(matches!(removed, Ok(RoomChanged::Changed(_))), "{removed:?}");
        assert!(matches!(joined, Ok(Join::Joined(_) | Join::Removed)), "{joined:?}");
        assert_eq!(world.membership(room, bob).await, Membership::Removed);
    }
}

pub async fn rights_pass_on_with_the_host(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob, cat) =
        (world.registers("ann").await, world.registers("bob").await, world.registers("cat").await);
    let room = world.room_of(&[ann, bob, cat]).await;
    world.deletes(ann).await;
    assert_eq!(world.changes(room, cat, RoomChange::Lock).await, RoomChanged::NotHost);
    assert_eq!(world.changed(room, bob, RoomChange::Lock).await.host, bob);
    assert_eq!(world.changed(room, bob, RoomChange::Remove(cat)).await.participants, [bob]);
}
