//! Rows stored by this or another version of the code.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use zetra_domain::RoomId;

/// A value whose stored form has a version.
pub(crate) trait Versioned: DeserializeOwned {
    /// Whether it is the version that this code writes.
    fn is_current(&self) -> bool;
}

/// The rows that can be read, and the names of those that cannot.
pub(crate) fn read<K: Display, V: Versioned>(
    room: RoomId,
    stored: Vec<(K, String)>,
) -> (Vec<(K, V)>, Vec<K>) {
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for (name, text) in stored {
        match serde_json::from_str::<V>(&text) {
            Ok(row) if row.is_current() => rows.push((name, row)),
            _ => {
                tracing::error!(%room, row = %name, kind = std::any::type_name::<V>(), "a stored row cannot be read");
                unreadable.push(name);
            }
        }
    }
    (rows, unreadable)
}
