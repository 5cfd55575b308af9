//! The stories. Each gets an empty store.

mod accounts;
mod calls;
mod hosts;
mod room_calls;
mod rooms;

use std::sync::Arc;

use zetra_domain::*;
use zetra_store::*;

pub use accounts::*;
pub use calls::*;
pub use hosts::*;
pub use room_calls::*;
pub use rooms::*;

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
            whoever_has_deleted_their_account_meanwhile_joins_no_room,
            a_room_is_full_at_a_thousand,
            rooms_come_newest_first_and_paging_neither_misses_nor_repeats,
            a_room_has_the_name_that_its_host_gives_it,
            only_the_host_changes_a_room,
            only_participants_are_removed_and_only_the_removed_are_readmitted,
            who_was_removed_stays_out_until_readmitted,
            a_locked_room_takes_nobody_but_those_already_in_it,
            an_ended_room_is_over_for_everybody,
            of_a_removal_and_a_join_at_once_the_removal_stays,
            rights_pass_on_with_the_host,
            what_a_room_and_its_clients_say_of_one_call_is_one_log_in_whatever_order,
            a_call_that_its_room_keeps_is_ended_by_the_room,
            a_client_cannot_make_one_call_of_two_that_the_room_kept,
            a_redial_within_a_minute_is_the_same_call,
            a_report_that_joins_two_kept_logs_says_which_is_no_more,
            only_what_the_room_ended_is_answered_as_it_is,
            a_client_cannot_join_two_kept_calls_by_naming_people,
            a_room_tells_of_people_who_are_gone,
            a_deleted_account_leaves_its_rooms_and_its_name_is_gone,
            an_account_whose_password_has_changed_is_not_deleted,
            whoever_has_deleted_their_account_meanwhile_makes_no_room,
            two_reports_of_one_call_make_one_log,
            reports_at_the_same_time_make_one_log,
            as_many_reports_at_once_as_a_call_has_people_make_one_log,
            reports_of_strangers_are_refused,
            a_call_is_ended_by_one_of_its_people,
            calls_come_newest_first_and_paging_neither_misses_nor_repeats,
            statistics_count_what_the_user_took_part_in,
            a_report_of_an_earlier_call_does_not_end_the_one_that_runs,
            an_end_is_not_before_the_last_report,
            times_are_brought_within_the_rooms_life_and_then_compared,
            a_report_that_bridges_logs_joins_them_to_the_first,
            a_late_report_belongs_to_the_call_it_falls_into_not_to_the_next,
            a_call_that_nobody_ends_is_over_a_day_after_its_last_report,
            a_long_call_is_found_behind_many_short_ones_of_others,
            a_call_of_too_many_logs_is_joined_bit_by_bit,
        }
    };
}

const START: i64 = 1_700_000_000_000;

/// An empty store, a generator of ids, and a few verbs for what people do.
struct World {
    store: Arc<dyn Store>,
    ids: ObjectIds,
    rooms: u8,
    now: Timestamp,
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
        Self { store, ids: ObjectIds::new([1; 8]), rooms: 0, now: at(10_000) }
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

    async fn deletes(&self, user: UserId) {
        let account = self.store.account(user).await.unwrap().unwrap();
        assert!(self.store.delete_user(user, &account.password_hash).await.unwrap().is_some());
    }

    async fn makes_room(&mut self, host: UserId, created: i64) -> RoomId {
        self.rooms += 1;
        let room = Room::new(RoomId::from_random([self.rooms; 16]), host, at(created));
        assert_eq!(self.store.insert_room(&room).await, Ok(true));
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
        self.store.record_call(id, call, self.now).await.unwrap()
    }

    async fn ends(&mut self, room: RoomId, user: UserId, end: i64) -> Ended {
        let write = self.ids.call_log(at(0));
        self.store.end_call(write, room, user, at(end), self.now).await.unwrap()
    }

    async fn calls_of(&self, user: UserId) -> Vec<CallLog<Option<Person>>> {
        self.store.calls_of(user, page("100"), None, self.now).await.unwrap().items
    }

    async fn stats_of(&self, user: UserId) -> CallStats {
        self.store.call_stats(user, self.now).await.unwrap()
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
