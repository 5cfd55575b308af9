//! Registration, profiles, passwords and deletion.

use std::sync::Arc;

use futures_util::future::join_all;
use zetra_domain::*;
use zetra_store::*;

use super::{World, at, created, hash};

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
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let rooms = vec![world.makes_room(ann, 0).await];
    world.makes_room(bob, 0).await;
    let kept = TokenFingerprint::stored("mark".to_owned());
    let change = world.store.change_password(ann, &hash("first"), &hash("second"), &kept).await;
    assert_eq!(change, Ok(Some(PasswordChange { version: 1, rooms })));
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

pub async fn a_deleted_account_leaves_its_rooms_and_its_name_is_gone(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let cid = world.registers("cid").await;
    let hosted = world.room_of(&[ann, cid, bob]).await;
    let alone = world.makes_room(ann, 1).await;
    let visited = world.room_of(&[bob, ann]).await;
    let call = world.call(hosted, [ann, bob], 0, Some(10));
    created(world.reports(&call).await);
    let mut rooms = world.store.active_rooms_of(ann).await.unwrap();
    rooms.sort();
    let mut all = vec![hosted, alone, visited];
    all.sort();
    assert_eq!(rooms, all);
    world.deletes(ann).await;
    assert_eq!(world.store.active_rooms_of(ann).await, Ok(vec![]));
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

pub async fn an_account_whose_password_has_changed_is_not_deleted(store: Arc<dyn Store>) {
    let mut world = World::new(store);
    let (ann, bob) = (world.registers("ann").await, world.registers("bob").await);
    let room = world.room_of(&[ann, bob]).await;
    assert_eq!(world.store.delete_user(ann, &hash("second")).await, Ok(None));
    assert!(world.store.account(ann).await.unwrap().is_some());
    let there = world.store.room(room).await.unwrap().unwrap().room;
    assert_eq!((there.host, there.participants, there.active), (ann, vec![ann, bob], true));
    let left = world.store.delete_user(ann, &hash("first")).await.unwrap().unwrap();
    assert!(left.iter().all(|left| *left == room), "none is told where a reply was lost: {left:?}");
    assert_eq!(world.store.delete_user(ann, &hash("first")).await, Ok(None), "there is none");
}
