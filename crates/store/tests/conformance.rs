//! One suite for every adapter: what the port promises, told as stories.
//!
//! The SQLite run also explains every statement it executes and fails on one that scans a table.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod rusqlite_seam;
mod stories;

use std::sync::Arc;

use zetra_store::{MemoryStore, SqliteStore, Store};

use rusqlite_seam::Rusqlite;

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

fn sqlite() -> Arc<dyn Store> {
    Arc::new(SqliteStore::new(Rusqlite::in_memory()))
}

macro_rules! every_adapter {
    ($($story:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::memory())); })*
        }
        mod on_sqlite {
            $(#[test] fn $story() { pollster::block_on(crate::stories::$story(crate::sqlite())); })*
        }
    };
}

every_adapter!(
    a_user_is_found_by_id_and_by_email,
    taken_names_are_told_apart,
    of_two_registrations_at_once_exactly_one_wins,
    a_profile_changes_only_what_is_given,
    a_password_change_bumps_the_version_and_keeps_one_token,
    a_hash_is_renewed_only_if_nobody_was_faster,
    joining_twice_or_at_once_is_joining_once,
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
);
